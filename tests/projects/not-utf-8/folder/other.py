# -*- coding: latin-1 -*-
# café
from flask import Flask
app = Flask(__name__)
