"""From the options of `ditta-adapt eval` to what is evaluated."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ditta_adapt.baselines import MaskClassifier
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import VideoDataset, open_dataset
from ditta_adapt.datasets.class_map import ClassMap, MappedDataset, read_class_map
from ditta_adapt.datasets.opening import parse_options
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.building import check_method
from ditta_adapt.evaluation.evaluate import Plan
from ditta_adapt.evaluation.method_names import Parts
from ditta_adapt.evaluation.scores import Scores
from ditta_adapt.io.files import is_file
from ditta_adapt.keeping.domain_weights import check_domain
from ditta_adapt.model_loading import check_model_name, load_segmenter
from ditta_adapt.running.warmup import parse_warmup
from ditta_adapt.teachers.registry import check_propagator, find_propagator


def check_names(options: argparse.Namespace) -> None:
    """Refuse what is named wrongly before anything is imported, loaded or computed.

    Raises:
        InputError: there is no such method, corruption, package, propagator, device or file.
    """
    for method in options.methods:
        check_method(method)
    for corruption in filter(None, options.corruption):
        parse_corruption(corruption)
    for model in filter(None, (options.model, options.aux)):
        check_model_name(model, options.device)
    check_propagator(options.propagator)
    check_domain(options.domain)
    if options.classifier is not None and not is_file(options.classifier):
        raise InputError(f"there is no file {options.classifier}; expected a classifier of masks.")


def plan_of(options: argparse.Namespace) -> Plan:
    """What is evaluated, with data set, model and propagator opened.

    Raises:
        DittaError: something named cannot be found, opened or used.
    """
    warmups = [parse_warmup(text) for text in options.warmup]
    scores = Scores(tuple(options.metrics))
    origin = {
        name: str(getattr(options, name)) for name in ("dataset", "root", "option", "propagator")
    }
    class_map = None if options.class_map is None else read_class_map(options.class_map)
    if class_map is not None:
        # Not its name: a file may be edited.
        origin["class_map"] = json.dumps(asdict(class_map), sort_keys=True)
    return Plan(
        dataset=_dataset(options, class_map),
        parts=Parts(
            propagator=find_propagator(options.propagator),
            classifier=_classifier(options.classifier),
            segmenter=load_segmenter(options.model, options.device, domain=options.domain),
            seed=options.seed,
            aux=load_segmenter(options.aux, options.device) if options.aux else None,
        ),
        methods=options.methods,
        warmups=warmups,
        corruptions=options.corruption,
        limit=options.limit,
        on_error=options.on_error,
        scores=scores,
        origin=origin,
    )


def _dataset(options: argparse.Namespace, class_map: ClassMap | None) -> VideoDataset:
    dataset = open_dataset(options.dataset, options.root, **parse_options(options.option))
    return dataset if class_map is None else MappedDataset(dataset, class_map)


def _classifier(path: Path | None) -> MaskClassifier | None:
    return None if path is None else MaskClassifier.load(path)
