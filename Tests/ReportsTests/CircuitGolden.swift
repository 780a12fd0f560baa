/// Whole reports of the samples.
enum CircuitGolden {
  static let edgesAt100 = ""
  static let edgesAt60InASCII = ""
  static let summedAt80 = ""
  static let evaluationAt100 = ""
  static let undefinedAt80 = ""
  static let csv = ""
}
