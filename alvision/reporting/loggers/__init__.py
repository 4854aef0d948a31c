"""Where a run's rounds are logged beside its own files: TensorBoard, MLflow, Weights & Biases.

A logger reads metrics and never decides anything: a run ends alike with and without it. With
`training/`, the only room that may import Lightning.
"""

from alvision.reporting.loggers.lightning import RunLogger, mlflow, wandb

__all__ = ["RunLogger", "mlflow", "wandb"]
