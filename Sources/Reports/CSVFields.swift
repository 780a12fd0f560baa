/// Fields of CSV (RFC 4180), as every table writes them.
enum CSVFields {
  /// The shortest decimal that reads back exactly; nothing where JSON would have no number either.
  static func number(_ value: Double?) -> String {
    guard let value, value.isFinite else { return "" }
    return "\(value)"
  }

  /// A whole number, or nothing.
  static func number(_ value: Int?) -> String { value.map(String.init) ?? "" }

  /// Exact text between quotation marks; nothing where there is no text.
  static func quoted(_ text: String?) -> String {
    guard let text else { return "" }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      quoted += scalar == "\"" ? "\"\"" : String(scalar)
    }
    return quoted + "\""
  }

  /// Lines that end in CR LF, the names of the columns first.
  static func table(_ columns: [String], _ rows: [[String]]) -> String {
    ([columns] + rows).map { $0.joined(separator: ",") + "\r\n" }.joined()
  }
}
