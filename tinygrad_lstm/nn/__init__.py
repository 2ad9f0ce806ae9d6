"""Layers, recurrent cells and what makes a sequence of them."""

from tinygrad_lstm.nn.document import from_pytorch, to_pytorch
from tinygrad_lstm.nn.export import export_onnx
from tinygrad_lstm.nn.layers import Dropout, Embedding, LayerNorm, Linear, Sequential
from tinygrad_lstm.nn.module import Module
from tinygrad_lstm.nn.rnn import GRU, LSTM, RNN
from tinygrad_lstm.nn.saving import load, load_safetensors, save, save_safetensors
from tinygrad_lstm.nn.unroll import unroll
from tinygrad_lstm.nn.weights import from_keras, from_onnx, to_keras, to_onnx

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Module",
    "Sequential",
    "export_onnx",
    "from_keras",
    "from_onnx",
    "from_pytorch",
    "load",
    "load_safetensors",
    "save",
    "save_safetensors",
    "to_keras",
    "to_onnx",
    "to_pytorch",
    "unroll",
]
