from flask import Flask


def build(name="service"):
    service = Flask(name)
    return service
