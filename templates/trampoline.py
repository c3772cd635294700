"""Lambda's entry into this bundle, for "$handler". Made by overflow $version."""

from os.path import abspath, dirname

from _overflow.start import start

handler = start(dirname(abspath(__file__)))
