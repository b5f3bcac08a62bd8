"""What earlier stages have made for lines of params.yaml that are gone."""

from pipeline.core import layout
from pipeline.core.params import Params


def remove_strangers(params: Params, dataset: str) -> None:
    """Remove the models of a dataset for which params.yaml has no line any more.

    DVC leaves the outputs of a stage that is gone where they are, and they would be judged with the
    others; its cache has them still.
    """
    names = params.models_of(dataset)
    ours = {
        path
        for name in names
        for path in (layout.model(dataset, name), layout.history(dataset, name))
    }
    for path in layout.models(dataset).glob("[!.]*"):
        if path not in ours and path.is_file():
            path.unlink()
