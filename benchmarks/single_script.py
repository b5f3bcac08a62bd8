"""The peer of the main job: the same work in one process, as a script that many people write.

    python benchmarks/single_script.py FOLDER [--pinned]

Reads, validates, splits, trains the eight models and the references, scores them on test rows and
by repeated cross-validation, and logs them to a new MLflow store in FOLDER, with default log_metric
and log_model calls. With --pinned it has learned two tricks:
metrics go in one batch, and the models' pip requirements are given instead of inferred.
"""

import os
import sys
import time
from itertools import combinations
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import numpy as np
import pandas as pd
import pandera.pandas as pa
import torch
from mlflow.entities import Metric
from mlflow.models import infer_signature
from sklearn.datasets import make_regression
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_recall_fscore_support,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import (
    LeaveOneOut,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    train_test_split,
)
from sklearn.preprocessing import StandardScaler

LR, EPOCHS, SEED, BATCH = 0.1, 100, 1234, 32
FOLDS = {"n_splits": 5, "n_repeats": 10, "random_state": 0}
PINNED = "--pinned" in sys.argv
STORE = Path(sys.argv[1])


def log_history(losses):
    if PINNED:
        now = int(time.time() * 1000)
        points = [Metric("loss", loss, now, epoch) for epoch, loss in enumerate(losses)]
        run = mlflow.active_run().info.run_id
        mlflow.MlflowClient().log_batch(run, metrics=points)
    else:
        for epoch, loss in enumerate(losses):
            mlflow.log_metric("loss", loss, step=epoch)


def log_sklearn(model, X):
    pins = {"pip_requirements": ["scikit-learn", "skops"]} if PINNED else {}
    signature = infer_signature(X, model.predict(X))
    mlflow.sklearn.log_model(model, name="model", signature=signature, input_example=X[:5], **pins)


def log_torch(model, X):
    pins = {"pip_requirements": ["torch"]} if PINNED else {}
    inputs = X.astype(np.float32)
    with torch.no_grad():
        signature = infer_signature(inputs, model(torch.tensor(inputs)).numpy())
    mlflow.pytorch.log_model(
        model, name="model", signature=signature, input_example=inputs[:5], **pins
    )


def linear(coef, intercept):
    model = LinearRegression()
    model.coef_, model.intercept_, model.n_features_in_ = np.array(coef), intercept, len(coef)
    return model


def pairwise_mean(X, y):
    lines = []
    for i, j in combinations(range(len(y)), 2):
        w = (y[j] - y[i]) / (X[j, 0] - X[i, 0])
        lines.append((w, y[i] - w * X[i, 0]))
    w, b = np.mean(lines, axis=0)
    return linear([w], b), []


def closed_form(X, y):
    return LinearRegression().fit(X, y), []


def mean(X, y):
    return linear(np.zeros(X.shape[1]), y.mean()), []


def linear_regression(X, y):
    return LinearRegression().fit(X, y), []


def logistic_regression(X, y):
    return LogisticRegression().fit(X, y), []


def majority(X, y):
    return DummyClassifier(strategy="prior").fit(X, y), []


def manual_gd(X, y):
    w, b, losses = np.zeros(X.shape[1]), 0.0, []
    for _ in range(EPOCHS):
        error = X @ w + b - y
        losses.append(float(np.mean(error**2)))
        w, b = w - LR * 2 * X.T @ error / len(y), b - LR * 2 * error.mean()
    return linear(w, b), losses


def torch_train(X, y, loss_function, batch=None):
    torch.manual_seed(SEED)
    model, losses = torch.nn.Linear(X.shape[1], 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    inputs = torch.tensor(X, dtype=torch.float32)
    targets = torch.tensor(y, dtype=torch.float32).view(-1, 1)
    for _ in range(EPOCHS):
        total = 0.0
        for rows in torch.randperm(len(y)).split(batch or len(y)):
            optimizer.zero_grad()
            loss = loss_function(model(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows) / len(y)
        losses.append(total)
    return model, losses


def torch_sgd(X, y):
    return torch_train(X, y, torch.nn.MSELoss())


def bcpm(X, y):
    return torch_train(X, y, torch.nn.BCEWithLogitsLoss(), BATCH)


def probability(model, X):
    if isinstance(model, torch.nn.Module):
        return 1 / (1 + np.exp(-predict(model, X).astype(float)))
    return model.predict_proba(X)[:, 1]


def cross_validate(cut, trainer, X, y, score):
    scores = []
    for rest, out in cut.split(X, y):
        fold = StandardScaler().fit(X[rest])
        model, _ = trainer(fold.transform(X[rest]), y[rest])
        scores.append(score(model, fold.transform(X[out]), y[out]))
    return {"cv": float(np.mean(scores)), "cv_sd": float(np.std(scores, ddof=1))}


def predict(model, X):
    if isinstance(model, torch.nn.Module):
        with torch.no_grad():
            return model(torch.tensor(X, dtype=torch.float32)).numpy().ravel()
    return model.predict(X)


def regression(name, X, y, trainers, test_size):
    mlflow.set_experiment(name)
    if test_size:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=test_size, random_state=SEED
        )
    else:
        X_train, X_test, y_train, y_test = X, X, y, y
    scaler = StandardScaler().fit(X_train)
    Z, Z_test = scaler.transform(X_train), scaler.transform(X_test)
    for trainer in trainers:
        with mlflow.start_run(run_name=trainer.__name__):
            mlflow.log_params({"lr": LR, "epochs": EPOCHS, "seed": SEED})
            model, losses = trainer(Z, y_train)
            p = predict(model, Z_test)
            mse = mean_squared_error(y_test, p)
            mlflow.log_metrics(
                {"mse": mse, "rmse": mse**0.5, "mae": mean_absolute_error(y_test, p),
                 "r2": r2_score(y_test, p)}
            )  # fmt: skip
            cut = RepeatedKFold(**FOLDS) if test_size else LeaveOneOut()
            mlflow.log_metrics(
                cross_validate(
                    cut, trainer, X, y, lambda m, X, y: mean_squared_error(y, predict(m, X))
                )
            )
            log_history(losses)
            (log_torch if trainer is torch_sgd else log_sklearn)(model, Z)


def classification(name, X, y):
    mlflow.set_experiment(name)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=SEED)
    scaler = StandardScaler().fit(X_train)
    Z, Z_test = scaler.transform(X_train), scaler.transform(X_test)
    for trainer in (bcpm, logistic_regression, majority):
        with mlflow.start_run(run_name=trainer.__name__):
            mlflow.log_params({"lr": LR, "epochs": EPOCHS, "seed": SEED})
            model, losses = trainer(Z, y_train)
            p = probability(model, Z_test)
            label = (p >= 0.5).astype(int)
            precision, recall, f1, _ = precision_recall_fscore_support(
                y_test, label, pos_label=0, average="binary", zero_division=0
            )
            mlflow.log_metrics(
                {"accuracy": accuracy_score(y_test, label), "roc_auc": roc_auc_score(y_test, p),
                 "log_loss": log_loss(y_test, p), "precision": precision, "recall": recall,
                 "f1": f1}
            )  # fmt: skip
            mlflow.log_metrics(
                cross_validate(
                    RepeatedStratifiedKFold(**FOLDS), trainer, X, y,
                    lambda m, X, y: accuracy_score(y, probability(m, X) >= 0.5),
                )
            )  # fmt: skip
            log_history(losses)
            (log_torch if trainer is bcpm else log_sklearn)(model, Z)


def main():
    mlflow.set_tracking_uri(f"sqlite:///{STORE / 'mlflow.db'}")
    os.chdir(STORE)  # mlflow puts the artifacts beside whoever comes first
    root = Path(__file__).resolve().parents[1]

    house = pd.read_csv(root / "data/raw/house.csv").astype(float)
    pa.DataFrameSchema.from_yaml(root / "data/schema/house.yaml").validate(house, lazy=True)
    X, y = house[["area_m2"]].to_numpy(), house["price_wan"].to_numpy()
    references = [linear_regression, mean]
    trainers = [pairwise_mean, closed_form, manual_gd, torch_sgd]
    regression("house", X, y, trainers + references, 0)

    X, y = make_regression(n_samples=100, n_features=1, noise=20, random_state=12)
    rows = pd.DataFrame({"x1": X[:, 0], "y": y})
    pa.DataFrameSchema.from_yaml(root / "data/schema/synthetic.yaml").validate(rows, lazy=True)
    regression("synthetic", X, y, trainers[1:] + references, 0.2)

    cancer = pd.read_csv(root / "data/raw/breast_cancer.csv")
    pa.DataFrameSchema.from_yaml(root / "data/schema/breast_cancer.yaml").validate(
        cancer, lazy=True
    )
    classification("breast_cancer", cancer.iloc[:, :-1].to_numpy(), cancer["target"].to_numpy())


main()
