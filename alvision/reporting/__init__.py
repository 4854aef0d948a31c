"""Reports: one self-contained HTML file of a run or a study, and the same in TensorBoard."""
