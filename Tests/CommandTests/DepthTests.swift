import Foundation
import Results
import Testing

/// `--depth` and `--neurons`: what each layer is made of.
@Suite("Depth")
struct DepthTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  private func run(_ words: String..., settings: [String: String] = [:]) throws -> Outcome {
    try Command.run(
      ["explain", "--model", model.path, "--answer", "b"] + words + ["Is it"], settings: settings)
  }

  private func layers(_ words: String...) throws -> [LayerAttribution] {
    let outcome = try Command.run(
      ["explain", "--model", model.path, "--answer", "b", "--json", "-"] + words + ["Is it"])
    #expect(outcome.code == 0 && outcome.errors == "")
    return try outcome.result().explanations[0].attributions
  }

  /// Every node's residual is its value less its children's, and none is above `most`.
  private func expectSums(
    _ layer: LayerAttribution, atMost most: Double, at place: SourceLocation = #_sourceLocation
  ) throws {
    func check(_ value: Double, _ residual: Double, _ children: [AttributionNode]) {
      let left = children.reduce(value) { $0 - $1.value }
      #expect(abs(left - residual) <= 1e-15, sourceLocation: place)
      #expect(abs(residual) <= most, sourceLocation: place)
      for child in children {
        if let parts = child.children {
          check(child.value, child.residual, parts)
        } else {
          #expect(child.residual == 0, sourceLocation: place)
        }
      }
    }
    check(
      layer.value, try #require(layer.residual, sourceLocation: place),
      try #require(layer.parts, sourceLocation: place))
  }

  @Test("The whole tree is in the JSON, and every level of it sums to its parent")
  func wholeTree() throws {
    let outcome = try run(
      "--depth", "token", "--neurons", "all", "--dtype", "float64", "--tol", "1e-9", "--json", "-")
    #expect(outcome.code == 0 && outcome.errors == "")
    let result = try outcome.result()
    #expect(result.method.depth == "token" && result.method.neurons == -1)
    #expect(result.method.tolerance == 1e-9 && result.warnings == [])
    let tree = result.explanations[0].attributions
    let all = tree.reduce(0) { $0 + abs($1.value) }
    #expect(
      tree.map { $0.parts?.map(\.kind) } == [[.embedding, .attention, .mlp], [.attention, .mlp]])
    for layer in tree {
      #expect(layer.converged == true && layer.nodes.map { $0 >= 8 && $0 <= 1024 } == true)
      try expectSums(layer, atMost: 1e-9 * all)
      let blocks = try #require(layer.parts?.suffix(2)).map { $0 }
      #expect(blocks.allSatisfy { $0.layer == layer.layer })
      let heads = try #require(blocks[0].children)
      #expect(
        heads.map(\.kind) == [.head, .head, .head, .head] && heads.map(\.head) == [0, 1, 2, 3])
      for head in heads {
        #expect(head.children?.map(\.kind) == Array(repeating: .source, count: 5))
        #expect(head.children?.map(\.source) == [0, 1, 2, 3, 4])
      }
      let neurons = try #require(blocks[1].children)
      #expect(neurons.allSatisfy { $0.kind == .neuron })
      #expect(neurons.compactMap(\.neuron).sorted() == Array(0..<36))
    }
  }

  @Test("A shallower tree is the deeper one cut off, with the same layers")
  func cutting() throws {
    func cut(_ nodes: [AttributionNode]?, to depth: Int) -> [AttributionNode]? {
      nodes.map { nodes in
        nodes.map { node in
          var node = node
          node.children = depth > 1 ? cut(node.children, to: depth - 1) : nil
          if node.children == nil { node.residual = 0 }
          return node
        }
      }
    }
    func numbers(_ nodes: [AttributionNode]?) -> [Double] {
      (nodes ?? []).flatMap { [$0.value] + numbers($0.children) }
    }
    let deep = try layers("--depth", "token")
    for (levels, depth) in ["block", "head"].enumerated() {
      let shallow = try layers("--depth", depth)
      for (one, other) in zip(shallow, deep) {
        let expected = numbers(cut(other.parts, to: levels + 1))
        let found = numbers(one.parts)
        #expect(found.count == expected.count)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-9 })
      }
    }
    let plain = try layers("--depth", "layer")
    #expect(plain.allSatisfy { $0.parts == nil && $0.residual == nil })
    #expect(zip(plain, deep).allSatisfy { abs($0.value - $1.value) <= 1e-9 })
  }

  @Test("--neurons N lists the N largest of each layer, and what is left as one part")
  func neurons() throws {
    func mlp(_ layer: LayerAttribution) throws -> [AttributionNode] {
      try #require(layer.parts?.first { $0.kind == .mlp }?.children)
    }
    let (all, some) = (try layers("--neurons", "all"), try layers("--neurons", "3"))
    for (whole, chosen) in zip(all, some) {
      let sorted = try mlp(whole).sorted { abs($0.value) > abs($1.value) }
      let listed = try mlp(chosen)
      #expect(listed.map(\.kind) == [.neuron, .neuron, .neuron, .others])
      #expect(listed.prefix(3).map(\.neuron) == sorted.prefix(3).map(\.neuron))
      for (one, other) in zip(listed, sorted.prefix(3)) {
        #expect(abs(one.value - other.value) <= 1e-9)
      }
      let rest = sorted.dropFirst(3).reduce(0) { $0 + $1.value }
      #expect(abs(listed[3].value - rest) <= 1e-9)
      // Neurons are parts of the MLP, so the blocks are there without being asked for.
      #expect(chosen.parts?.suffix(2).map(\.kind) == [.attention, .mlp])
    }
    let every = try layers("--neurons", "1000")
    #expect(try every.allSatisfy { try mlp($0).filter { $0.kind == .neuron }.count == 36 })
  }

  @Test("One layer credited for all has the blocks of all, each under its own number")
  func mergedLayers() throws {
    let merged = try layers("--layers", "1", "--depth", "block")
    #expect(merged.count == 1)
    let parts = try #require(merged[0].parts)
    #expect(parts.map(\.kind) == [.embedding, .attention, .mlp, .attention, .mlp])
    #expect(parts.map(\.layer) == [-1, 0, 0, 1, 1])
    try expectSums(merged[0], atMost: 1e-4 * abs(merged[0].value))
  }

  @Test("CSV has a row for every part, under its place; the page has the parts too")
  func files() throws {
    let folder = try Folder()
    let (json, csv, html) = (folder / "a.json", folder / "a.csv", folder / "a.html")
    let outcome = try run(
      "--depth", "token", "--neurons", "2", "--json", json.path, "--csv", csv.path, "--html",
      html.path)
    #expect(outcome.code == 0)
    func flat(_ nodes: [AttributionNode]) -> [AttributionNode] {
      nodes.flatMap { [$0] + flat($0.children ?? []) }
    }
    let result = try ExplainResult.decoded(from: Data(contentsOf: json))
    let nodes = flat(result.explanations[0].attributions.flatMap { $0.parts ?? [] })
    // 1 embedding; in each layer 2 blocks, 4 heads, 20 source tokens, 2 neurons and the others.
    #expect(nodes.count == 1 + 2 * (2 + 4 + 20 + 3))
    let rows = try String(contentsOf: csv, encoding: .utf8).split(separator: "\r\n").map(
      String.init)
    let columns = rows[0].split(separator: ",")
    let value = try #require(columns.firstIndex(of: "value"))
    let kind = try #require(columns.firstIndex(of: "kind"))
    // No token here has a comma, so that each is a cell of its own.
    let cells = rows.dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    #expect(cells.allSatisfy { $0.count == columns.count })
    let parts = cells.filter { !["\"baseline\"", "\"layer\""].contains($0[kind]) }
    #expect(parts.map { Double($0[value]) } == nodes.map(\.value))
    #expect(parts.map { $0[kind] } == nodes.map { "\"\($0.kind.rawValue)\"" })
    #expect(rows.contains { $0.contains(",\"1/attention/head 3/source 2\",") })
    let page = try String(contentsOf: html, encoding: .utf8)
    #expect(page.hasPrefix("<!doctype html>") && page.contains("\"source\""))
  }

  @Test("--top bounds every list on screen, and what it leaves out is added up in one line")
  func top() throws {
    let text = try run("--depth", "head", "--neurons", "all", "--top", "2").text
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.contains("top 2 of each list") })
    #expect(lines.filter { $0.contains("others (2 heads)") }.count == 2)
    #expect(lines.filter { $0.contains("others (34 neurons)") }.count == 2)
    #expect(lines.filter { $0.contains("├ head ") }.count == 4)
    #expect(lines.filter { $0.contains("├ neuron ") }.count == 4)
  }

  @Test("Narrow, in ASCII, or on a pipe, the tree keeps its lines within the terminal's")
  func narrow() throws {
    let narrow = try run("--depth", "token", "--neurons", "2", settings: ["COLUMNS": "40"])
    #expect(narrow.code == 0 && narrow.errors == "")
    let lines = narrow.text.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 40 })
    // Where numbers and bars have no room, what does not add up is a line of its own.
    #expect(lines.contains { $0.contains("residual") })
    let ascii = try run(
      "--depth", "token", "--neurons", "2", settings: ["LC_ALL": "C", "COLUMNS": "40"])
    #expect(ascii.output.allSatisfy { $0 < 0x80 })
    #expect(ascii.text.contains("| |-head 2") && ascii.text.contains("<- \"I\" (0)"))
    #expect(try run("--depth", "token", "--quiet").errors == "")
  }
}
