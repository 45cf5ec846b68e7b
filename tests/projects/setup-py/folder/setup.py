from setuptools import setup

NEEDED = ["scikit-learn==1.7.2"]
setup(name="service", install_requires=NEEDED)
raise SystemExit("setup.py was run")
