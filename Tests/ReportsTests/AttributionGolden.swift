/// Whole reports of the samples.
enum AttributionGolden {
  static let tokensAt80 = ""
  static let tokensAt44InASCII = ""
  static let layersAt100 = ""
  static let layersAt60 = ""
  static let longAt80 = ""
  static let oneAt60 = ""
  static let csv = ""
}
