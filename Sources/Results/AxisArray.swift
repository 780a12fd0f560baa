/// Numbers on named axes, as nested lists in JSON: of axes `["source", "target"]`, `values[3][5]` is what
/// source 3 gives to target 5.
///
/// Where there are many, `values` is absent, and `shape` and `tensor` say what stands in the result's file
/// of arrays.
public struct AxisArray: Codable, Sendable, Equatable {
  /// What each dimension counts, outermost first: `source`, `target`, `head`.
  public var axes: [String]
  /// The extents, one per axis.
  public var shape: [Int]
  /// All numbers, the last axis running fastest; empty where they stand in the file of arrays.
  public var values: [Double]
  /// The name in the file of arrays; nil where the numbers stand here.
  public var tensor: String?

  /// Gathers numbers.
  public init(axes: [String], shape: [Int], values: [Double], tensor: String? = nil) {
    precondition(axes.count == shape.count, "\(axes) of shape \(shape)")
    precondition(
      tensor != nil || values.count == shape.reduce(1, *), "\(values.count) numbers of \(shape)")
    self.axes = axes
    self.shape = shape
    self.values = values
    self.tensor = tensor
  }

  /// The number at these places.
  public subscript(_ places: Int...) -> Double {
    precondition(places.count == shape.count, "\(places.count) places on axes \(axes)")
    return values[zip(places, shape).reduce(0) { $0 * $1.1 + $1.0 }]
  }

  /// The numbers as bare nested lists, for a field whose axes stand elsewhere.
  var nested: some Encodable { NestedLists(shape[...], values[...]) }

  /// Reads bare nested lists.
  init(axes: [String], nestedIn decoder: any Decoder) throws {
    let lists = try NestedLists(decoder, depth: axes.count)
    self.init(axes: axes, shape: lists.shape, values: lists.values)
  }

  enum CodingKeys: String, CodingKey { case axes, shape, values, tensor }

  /// Writes nested lists, or the shape and the name of the tensor.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(axes, forKey: .axes)
    if let tensor {
      try container.encode(shape, forKey: .shape)
      try container.encode(tensor, forKey: .tensor)
    } else {
      try container.encode(NestedLists(shape[...], values[...]), forKey: .values)
    }
  }

  /// Reads either form.
  ///
  /// - Throws: `DecodingError` where lists are ragged or do not fit the axes.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    axes = try container.decode([String].self, forKey: .axes)
    tensor = try container.decodeIfPresent(String.self, forKey: .tensor)
    if tensor != nil {
      shape = try container.decode([Int].self, forKey: .shape)
      values = []
    } else {
      let lists = try NestedLists(container.present(.values), depth: axes.count)
      shape = lists.shape
      values = lists.values
    }
    guard shape.count == axes.count, shape.allSatisfy({ $0 >= 0 }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .axes, in: container, debugDescription: "axes and values differ in depth")
    }
  }
}

/// Lists of lists of numbers, of one length at each depth.
private struct NestedLists: Encodable {
  var shape: [Int]
  var values: [Double]

  init(_ shape: ArraySlice<Int>, _ values: ArraySlice<Double>) {
    self.shape = Array(shape)
    self.values = Array(values)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.unkeyedContainer()
    let inner = shape.dropFirst()
    if inner.isEmpty { return try container.encode(contentsOf: values) }
    let size = inner.reduce(1, *)
    for row in 0..<shape[0] {
      try container.encode(NestedLists(inner, values[row * size..<(row + 1) * size]))
    }
  }

  init(_ decoder: any Decoder, depth: Int) throws {
    var container = try decoder.unkeyedContainer()
    if depth <= 1 {
      values = []
      while !container.isAtEnd { values.append(try container.decode(Double.self)) }
      shape = [values.count]
      return
    }
    var inner: [Int]?
    var gathered: [Double] = []
    var count = 0
    while !container.isAtEnd {
      let decoder = try container.superDecoder()
      let row = try NestedLists(decoder, depth: depth - 1)
      guard inner == nil || inner == row.shape else {
        throw DecodingError.dataCorrupted(
          DecodingError.Context(
            codingPath: decoder.codingPath, debugDescription: "rows of different lengths"))
      }
      inner = row.shape
      gathered += row.values
      count += 1
    }
    values = gathered
    shape = [count] + (inner ?? Array(repeating: 0, count: depth - 1))
  }
}

extension UnkeyedEncodingContainer {
  fileprivate mutating func encode(contentsOf values: [Double]) throws {
    for value in values { try encode(value) }
  }
}

extension KeyedDecodingContainer {
  /// The decoder of a field that has to be there: one that is absent would read as null.
  func present(_ key: Key) throws -> any Decoder {
    guard contains(key) else {
      throw DecodingError.keyNotFound(
        key, DecodingError.Context(codingPath: codingPath, debugDescription: "no such field"))
    }
    return try superDecoder(forKey: key)
  }
}
