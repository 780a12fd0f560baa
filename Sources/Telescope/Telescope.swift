// Everything Telescope offers, under one import.

@_exported import Attribution
@_exported import Checkpoints
@_exported import Circuits
@_exported import Flow
@_exported import LanguageModels
@_exported import Lenses
@_exported import Reports
@_exported import Results
@_exported import Tensors
@_exported import Tokenization
