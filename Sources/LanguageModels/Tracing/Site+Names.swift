// A site's name is its kind, its part and its layer, joined by dots: `residual.after.5`. People also ask
// for many at once: without its layer a name stands for all of them, with two for a range.

extension Site {
  /// The block, for sites that are in one.
  public var layer: Int? {
    switch self {
    case .residual(let layer, _), .attention(let layer, _), .feedForward(let layer, _),
      .scale(let layer, _):
      layer
    case .embedding, .finalNorm, .logits: nil
    }
  }

  /// The name without the layer: `residual.after`.
  public var kind: String {
    guard let layer else { return description }
    return String(description.dropLast("\(layer)".count + 1))
  }

  /// The site in another block; itself where it is in none.
  public func at(_ layer: Int) -> Site {
    switch self {
    case .residual(_, let moment): .residual(layer, moment)
    case .attention(_, let part): .attention(layer, part)
    case .feedForward(_, let part): .feedForward(layer, part)
    case .scale(_, let place): .scale(layer, place)
    case .embedding, .finalNorm, .logits: self
    }
  }

  /// Reads a site's full name, as `description` writes it.
  public init?(_ name: String) {
    guard let named = NamedSites(name), named.layers?.count ?? 1 == 1 else { return nil }
    guard named.site.layer == nil || named.layers != nil else { return nil }
    self = named.site.at(named.layers?.lowerBound ?? 0)
    // No second spelling, such as a range of one.
    guard description == name else { return nil }
  }

  /// One site of each kind; those in blocks stand in block 0.
  static let kinds: [Site] =
    [.embedding] + Moment.allCases.map { .residual(0, $0) }
    + AttentionPart.allCases.map { .attention(0, $0) }
    + FeedForwardPart.allCases.map { .feedForward(0, $0) }
    + NormPlace.allCases.map { .scale(0, $0) } + [.finalNorm, .logits]
}

/// Sites as a person names them.
private struct NamedSites {
  var site: Site
  /// Nil for all.
  var layers: ClosedRange<Int>?

  /// `kind`, `kind.layer` or `kind.first-last`.
  init?(_ name: String) {
    if let whole = Site.kinds.first(where: { $0.kind == name }) {
      site = whole
      return
    }
    guard let dot = name.lastIndex(of: "."),
      let part = Site.kinds.first(where: { $0.layer != nil && $0.kind == name[..<dot] })
    else { return nil }
    let ends = name[name.index(after: dot)...]
      .split(separator: "-", omittingEmptySubsequences: false).map { Self.number($0) }
    guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
      first <= last
    else { return nil }
    site = part
    layers = first...last
  }

  /// Digits alone, without a sign or zeros before them.
  private static func number(_ text: Substring) -> Int? {
    Int(text).flatMap { "\($0)" == text ? $0 : nil }
  }
}

extension LanguageModel {
  /// The sites that names stand for: `residual.after.5`, `residual.after.0-3`, `residual.after` for all
  /// layers, `logits`.
  ///
  /// A range may include layers that lack the site, as long as one has it: layers differ in some models.
  ///
  /// - Parameter names: names of sites of this model.
  /// - Returns: each site once, in the order of the forward pass.
  /// - Throws: `ModelError` that says which sites there are, for a name that stands for none.
  public func sites(named names: [String]) throws -> [Site] {
    let published = sites
    var chosen: Set<Site> = []
    for name in names {
      guard let named = NamedSites(name) else {
        throw ModelError.noSite(name, published, layers: shape.layers)
      }
      let layers = named.layers ?? 0...max(0, shape.layers - 1)
      if named.site.layer != nil, layers.upperBound >= shape.layers {
        throw ModelError(
          .usage,
          "There is no site '\(name)'; this \(shape.architecture) has layers 0 to "
            + "\(shape.layers - 1).")
      }
      let meant = published.intersection(
        named.site.layer == nil ? [named.site] : layers.map(named.site.at))
      guard !meant.isEmpty else {
        throw ModelError.noSite(name, published, layers: shape.layers)
      }
      chosen.formUnion(meant)
    }
    return chosen.inOrder
  }
}

extension Collection<Site> {
  /// The sites in the order of the forward pass.
  public var inOrder: [Site] {
    func rank(_ site: Site) -> (Int, Int) {
      let place = Site.kinds.firstIndex { $0.kind == site.kind } ?? 0
      let layer =
        switch site {
        case .embedding: -1
        case .residual, .attention, .feedForward, .scale: site.layer ?? 0
        case .finalNorm, .logits: Int.max
        }
      // Attention is before the middle of the stream, and the network before its end.
      let moment =
        switch site {
        case .residual(_, .middle): 100
        case .feedForward: 200 + place
        case .scale(_, .attentionInput): 90
        case .scale(_, .attentionOutput): 91
        case .scale(_, .feedForwardInput): 290
        case .scale(_, .feedForwardOutput): 291
        case .residual(_, .after): 300
        default: place
        }
      return (layer, moment)
    }
    return map { (rank($0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// The kinds that there are, in the order of the forward pass, each once.
  public var kindsInOrder: [String] {
    var seen: Set<String> = []
    return Set(map { $0.at(0) }).inOrder.map(\.kind).filter { seen.insert($0).inserted }
  }
}

extension ModelError {
  static func noSite(_ name: String, _ sites: Set<Site>, layers: Int) -> ModelError {
    ModelError(
      .usage,
      "There is no site '\(name)' in this model; it has \(sites.kindsInOrder.joined(separator: ", ")) "
        + "(in blocks with a layer from 0 to \(layers - 1), such as residual.after.0, a range such as "
        + "residual.after.0-\(layers - 1), or neither for all layers).")
  }
}
