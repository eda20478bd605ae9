"""A European call priced by Monte Carlo as one writes it with numpy. One line of JSON in, one with price, standard
error and milliseconds of CPU time out, until the input ends."""

import json
import sys
import time

import numpy as np


def price(paths, seed, rate, volatility, maturity, strike):
    normals = np.random.Generator(np.random.Philox(seed)).standard_normal(paths)
    spots = np.exp((rate - volatility**2 / 2) * maturity + volatility * np.sqrt(maturity) * normals)
    payoffs = np.exp(-rate * maturity) * np.maximum(spots - strike, 0)
    return payoffs.mean(), payoffs.std() / np.sqrt(paths)


for line in sys.stdin:
    order = json.loads(line)
    start = time.process_time()
    value, error = price(**order)
    milliseconds = (time.process_time() - start) * 1000
    print(json.dumps({"price": value, "standardError": error, "milliseconds": milliseconds}), flush=True)
