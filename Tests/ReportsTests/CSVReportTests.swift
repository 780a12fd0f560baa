import Foundation
import Reports
import Results
import Testing

@Suite("CSV")
struct CSVReportTests {
  /// RFC 4180, read strictly: an independent reader for what the writer writes.
  private func parse(_ text: String) throws -> [[String]] {
    var rows: [[String]] = []
    var row: [String] = []
    var field = ""
    var isQuoted = false
    var scalars = Array(text.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
      if isQuoted {
        if scalar == "\"" {
          if scalars.first == "\"" {
            field.unicodeScalars.append("\"")
            scalars.removeFirst()
          } else {
            isQuoted = false
          }
        } else {
          field.unicodeScalars.append(scalar)
        }
      } else if scalar == "\"" {
        try #require(field.isEmpty)
        isQuoted = true
      } else if scalar == "," {
        row.append(field)
        field = ""
      } else if scalar == "\r" {
        let feed = scalars.popFirst()
        try #require(feed == "\n")
        rows.append(row + [field])
        (row, field) = ([], "")
      } else {
        try #require(scalar != "\n")
        field.unicodeScalars.append(scalar)
      }
    }
    try #require(!isQuoted && row.isEmpty && field.isEmpty)
    return rows
  }

  private func next<Row>(_ rows: inout ArraySlice<Row>) throws -> Row {
    let row = rows.popFirst()
    return try #require(row)
  }

  @Test("Every number and every text reads back exactly, hostile text included")
  func roundTrip() throws {
    for result in [Samples.three, Samples.hostile] + Samples.kinds {
      let rows = try parse(CSVReport.text(for: result))
      let head = try #require(rows.first)
      #expect(head == CSVReport.columns)
      #expect(rows.allSatisfy { $0.count == head.count })
      let table = rows.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(head, $0)) }
      var remaining = table[...]
      for (index, explanation) in result.explanations.enumerated() {
        let base = try next(&remaining)
        #expect(base["kind"] == "baseline")
        #expect(base["layer"] == "" && base["value"] == "\(explanation.baselineValue)")
        #expect(base["onset_layer"] == explanation.onsetLayer.map(String.init) ?? "")
        for layer in explanation.attributions {
          let row = try next(&remaining)
          #expect(row["kind"] == "layer" && row["explanation"] == String(index))
          #expect(
            row["target_text"]?.unicodeScalars.elementsEqual(
              explanation.target.text.unicodeScalars) == true)
          #expect(row["versus_text"] == explanation.target.versus?.text ?? "")
          #expect(row["layer"] == String(layer.layer))
          #expect(Double(row["value"] ?? "") == layer.value)
          #expect(Double(row["lens"] ?? "") == layer.lens)
          #expect(Double(row["entropy"] ?? "") == layer.entropy)
          #expect(Double(row["contrast_increment"] ?? "") == layer.contrastIncrement)
          #expect(Int(row["rank"] ?? "") == layer.rank)
          #expect(Double(row["model_value"] ?? "") == explanation.modelValue)
          #expect(Double(row["sum"] ?? "") == explanation.sum)
          #expect(Double(row["certificate"] ?? "") == explanation.certificate)
        }
      }
      #expect(remaining.isEmpty)
    }
  }

  @Test("The first lines, whole")
  func lines() {
    let lines = CSVReport.text(for: Samples.one).components(separatedBy: "\r\n")
    #expect(
      lines[0] == "explanation,position,target_id,target_text,versus_id,versus_text,span_tokens,"
        + "kind,layer,value,lens,rank,entropy,top_id,top_text,top_probability,nodes,converged,"
        + "contrast_lens,contrast_difference,contrast_increment,model_value,baseline_value,sum,"
        + "certificate,onset_layer")
    #expect(
      lines[1] == "0,4,100,\" Paris\",,,,\"baseline\",,2e-05,,,,,,,,,,,,"
        + "\(Samples.one.explanations[0].modelValue),2e-05,"
        + "\(Samples.one.explanations[0].sum),-3e-09,9")
    #expect(
      lines[2].hasPrefix(
        "0,4,100,\" Paris\",,,,\"layer\",0,0.0001,0.00012,40,9.0,100,\" the\",0.5,"))
  }

  @Test("A token that a spreadsheet could take for a formula is quoted and not altered")
  func formula() {
    #expect(CSVReport.text(for: Samples.hostile).contains(",\"=1+1\","))
  }
}
