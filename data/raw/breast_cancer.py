"""Write breast_cancer.csv from scikit-learn's copy, once: `python data/raw/breast_cancer.py`."""

from pathlib import Path

from sklearn.datasets import load_breast_cancer

frame = load_breast_cancer(as_frame=True).frame
frame.columns = [name.replace(" ", "_") for name in frame.columns]
frame.to_csv(Path(__file__).with_suffix(".csv"), index=False, lineterminator="\n")
