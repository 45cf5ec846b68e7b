"""What a person would write: pyarrow reads, scikit-learn answers, pyarrow writes."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pyarrow as arrow
from pyarrow import csv, parquet

model = pickle.loads(Path(sys.argv[1]).read_bytes())
source, output = sys.argv[2:]
is_csv = source.endswith(".csv")
table = csv.read_csv(source) if is_csv else parquet.read_table(source)
rows = np.column_stack([table[name].to_numpy() for name in table.column_names])
answers = arrow.table({"prediction": model.predict(rows)})
if is_csv:
    csv.write_csv(answers, output)
else:
    parquet.write_table(answers, output)
