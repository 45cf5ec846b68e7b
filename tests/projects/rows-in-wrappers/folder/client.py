import json
from urllib.request import Request, urlopen

import requests

AGE = 24
requests.post(URL, json={"features": [1, 0, 1, AGE]})
body = json.dumps({"instances": [[2, 1, 1, 30], [1, 0, 1, 24]]}).encode()
urlopen(Request(URL, data=body))
for row in [[3, 1, 0, None], [2, 1, 1, 30]]:
    requests.post(URL, json=row)
requests.post(URL, json={"token": {1, 2}})
requests.post(URL, json=[1, 2])
