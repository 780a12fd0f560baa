internal import Foundation

/// tanh, by a name that does not meet the tensors' own.
func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }

/// eˣ, likewise.
func exponential(_ x: Double) -> Double { exp(x) }
