"""`askwhen export`: the labelled data of a stream, read from its log. It folds no model and changes nothing."""
