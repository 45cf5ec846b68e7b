import pickle

old = pickle.load(open("models/old.pkl", "rb"))
