"""A classic result from several seeds, each trained by whoever is free."""

import argparse

from tinygrad_lstm import spread


def options(words, seeds=1):
    """The options of every script, to which it adds its own."""
    parser = argparse.ArgumentParser(description=words.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=seeds, help="how many, from 0 on")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--workers", type=int, help="processes, each with a seed at a time")
    who.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, whose workers train")
    return parser


def trained(trial, chosen):
    """``trial(seed, say)`` of each seed, in their order. One that trains alone says how far it
    is."""
    seeds, say = range(chosen.seeds), print if chosen.seeds == 1 else quiet
    if chosen.scheduler is None:
        executor = "processes" if chosen.workers else None
        return spread(Trial(trial, say), seeds, executor, workers=chosen.workers, title="seeds")
    from distributed import Client

    with Client(chosen.scheduler) as client:
        return spread(Trial(trial, say), seeds, client, title="seeds")


class Trial:
    """A trial that says nothing, or what it says."""

    def __init__(self, trial, say):
        self.trial, self.say = trial, say

    def __call__(self, seed):
        return self.trial(seed, say=self.say)


def quiet(line):
    """Say nothing."""
