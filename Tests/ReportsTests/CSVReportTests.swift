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
        + "certificate,onset_layer,place,head,neuron,source,source_text,residual,low,high,path,"
        + "baseline,path_baseline_value,path_certificate,standard_error,replacement,scope,part,"
        + "neurons,predicted,actual,gap,resample_text,resample_position")
    #expect(
      lines[1] == "0,4,100,\" Paris\",,,,\"baseline\",,2e-05,,,,,,,,,,,,"
        + "\(Samples.one.explanations[0].modelValue),2e-05,"
        + "\(Samples.one.explanations[0].sum),-3e-09,9,,,,,,,,,,,,,,,,,,,,,,")
    #expect(
      lines[2].hasPrefix(
        "0,4,100,\" Paris\",,,,\"layer\",0,0.0001,0.00012,40,9.0,100,\" the\",0.5,"))
  }

  private func table(_ result: ExplainResult) throws -> [[String: String]] {
    let rows = try parse(CSVReport.text(for: result))
    let head = try #require(rows.first)
    return rows.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(head, $0)) }
  }

  @Test("Every part has a row with its place, and what is below a place sums to it")
  func parts() throws {
    let result = TreeSample.small
    let table = try table(result)
    var values: [String: (value: Double, residual: Double)] = [:]
    var sums: [String: Double] = [:]
    for row in table where row["place"] != "" {
      let place = try #require(row["place"])
      let value = try #require(Double(row["value"] ?? ""))
      #expect(values[place] == nil, "\(place)")
      values[place] = (value, Double(row["residual"] ?? "") ?? 0)
      if let slash = place.lastIndex(of: "/") { sums[String(place[..<slash]), default: 0] += value }
    }
    #expect(sums.count == 3 * (1 + 2 + 3))
    for (place, sum) in sums {
      let found = try #require(values[place])
      #expect(abs(found.value - sum - found.residual) < 1e-15, "\(place)")
    }
    let source = try #require(table.first { $0["place"] == "2/attention/head 1/source 3" })
    #expect(source["kind"] == "source" && source["layer"] == "2" && source["source"] == "3")
    #expect(source["source_text"] == " France")
    #expect(table.first { $0["place"] == "2" }?["low"] != "")
    #expect(values.keys.contains("0/embedding of -1") == false && values["0/embedding"] != nil)
  }

  @Test("Other paths and checks have rows of their own, and leave the sum of the layers alone")
  func alternativesAndChecks() throws {
    let result = TreeSample.small
    let explanation = result.explanations[0]
    let table = try table(result)
    let whole = table.filter { ["baseline", "layer"].contains($0["kind"]) }
      .reduce(0) { $0 + (Double($1["value"] ?? "") ?? .nan) }
    #expect(abs(whole - explanation.baselineValue - explanation.sum) < 1e-15)
    let others = table.filter { $0["kind"] == "alternative" }
    #expect(
      others.map { Double($0["value"] ?? "") } == (explanation.alternatives ?? []).flatMap(\.values)
    )
    #expect(others[9]["path"] == "shapley" && others[9]["baseline"] == "mean")
    let error = explanation.alternatives?[3].standardErrors?[0]
    #expect(Double(others[9]["standard_error"] ?? "") == error)
    #expect(others[6]["converged"] == "false" && others[6]["nodes"] == "64")
    let checks = table.filter { $0["kind"] == "check" }
    let rows = (explanation.checks ?? []).flatMap(\.rows)
    #expect(checks.map { Double($0["actual"] ?? "") } == rows.map(\.actual))
    #expect(checks.map { Double($0["gap"] ?? "") } == rows.map(\.gap))
    #expect(checks.map { $0["part"] } == rows.map(\.kind.rawValue))
    #expect(checks.allSatisfy { $0["value"] == "" && $0["scope"] == "position" })
    let neurons = try #require(checks.last { $0["part"] == "neurons" })
    #expect(neurons["neurons"] == "82 471")
    #expect(neurons["replacement"] == "resample" && neurons["resample_position"] == "3")
  }

  @Test("A token that a spreadsheet could take for a formula is quoted and not altered")
  func formula() {
    #expect(CSVReport.text(for: Samples.hostile).contains(",\"=1+1\","))
  }
}
