"""The peer of the main job: the same work in one process, as a script that many people write.

    python benchmarks/single_script.py FOLDER [--pinned]

Reads, validates, splits, trains the eight models, scores them and logs them to a new MLflow store
in FOLDER, with default log_metric and log_model calls. With --pinned it has learned two tricks:
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
from sklearn.linear_model import LinearRegression
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_recall_fscore_support,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import LeaveOneOut, train_test_split
from sklearn.preprocessing import StandardScaler

LR, EPOCHS, SEED = 0.1, 100, 1234
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


def manual_gd(X, y):
    w, b, losses = np.zeros(X.shape[1]), 0.0, []
    for _ in range(EPOCHS):
        error = X @ w + b - y
        losses.append(float(np.mean(error**2)))
        w, b = w - LR * 2 * X.T @ error / len(y), b - LR * 2 * error.mean()
    return linear(w, b), losses


def torch_train(X, y, loss_function):
    torch.manual_seed(SEED)
    model, losses = torch.nn.Linear(X.shape[1], 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    inputs = torch.tensor(X, dtype=torch.float32)
    targets = torch.tensor(y, dtype=torch.float32).view(-1, 1)
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        loss = loss_function(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


def torch_sgd(X, y):
    return torch_train(X, y, torch.nn.MSELoss())


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
            if not test_size:
                errors = []
                for rest, one in LeaveOneOut().split(X):
                    fold = StandardScaler().fit(X[rest])
                    other, _ = trainer(fold.transform(X[rest]), y[rest])
                    errors.append(predict(other, fold.transform(X[one]))[0] - y[one][0])
                mlflow.log_metric("loo_mse", float(np.mean(np.square(errors))))
            log_history(losses)
            (log_torch if trainer is torch_sgd else log_sklearn)(model, Z)


def classification(name, X, y):
    mlflow.set_experiment(name)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=SEED)
    scaler = StandardScaler().fit(X_train)
    Z, Z_test = scaler.transform(X_train), scaler.transform(X_test)
    with mlflow.start_run(run_name="bcpm"):
        mlflow.log_params({"lr": LR, "epochs": EPOCHS, "seed": SEED})
        model, losses = torch_train(Z, y_train, torch.nn.BCEWithLogitsLoss())
        p = 1 / (1 + np.exp(-predict(model, Z_test).astype(float)))
        label = (p >= 0.5).astype(int)
        precision, recall, f1, _ = precision_recall_fscore_support(
            y_test, label, pos_label=0, average="binary"
        )
        mlflow.log_metrics(
            {"accuracy": accuracy_score(y_test, label), "roc_auc": roc_auc_score(y_test, p),
             "log_loss": log_loss(y_test, p), "precision": precision, "recall": recall, "f1": f1}
        )  # fmt: skip
        log_history(losses)
        log_torch(model, Z)


def main():
    mlflow.set_tracking_uri(f"sqlite:///{STORE / 'mlflow.db'}")
    os.chdir(STORE)  # mlflow puts the artifacts beside whoever comes first
    root = Path(__file__).resolve().parents[1]

    house = pd.read_csv(root / "data/raw/house.csv").astype(float)
    pa.DataFrameSchema.from_yaml(root / "data/schema/house.yaml").validate(house, lazy=True)
    X, y = house[["area_m2"]].to_numpy(), house["price_wan"].to_numpy()
    regression("house", X, y, [pairwise_mean, closed_form, manual_gd, torch_sgd], 0)

    X, y = make_regression(n_samples=100, n_features=1, noise=20, random_state=12)
    rows = pd.DataFrame({"x1": X[:, 0], "y": y})
    pa.DataFrameSchema.from_yaml(root / "data/schema/synthetic.yaml").validate(rows, lazy=True)
    regression("synthetic", X, y, [closed_form, manual_gd, torch_sgd], 0.2)

    cancer = pd.read_csv(root / "data/raw/breast_cancer.csv")
    pa.DataFrameSchema.from_yaml(root / "data/schema/breast_cancer.yaml").validate(
        cancer, lazy=True
    )
    classification("breast_cancer", cancer.iloc[:, :-1].to_numpy(), cancer["target"].to_numpy())


main()
