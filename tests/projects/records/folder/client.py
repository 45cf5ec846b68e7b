import httpx

answer = httpx.post(URL, json=dict(pclass=1, male=0, adult=1, age=24))
