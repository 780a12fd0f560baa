/// One of a flow's arrays of numbers, by the name that it has in a file of arrays.
public struct FlowArray: Sendable, Equatable {
  /// Where it stands in the result: `layers.3.attention_flow`, `layers.3.composed.product`.
  ///
  /// The number is the block's, not the place in the list of layers.
  public var name: String
  /// The extents, one per axis.
  public var shape: [Int]
  /// All numbers, the last axis running fastest; empty where they stand in the file of arrays.
  public var values: [Double]
}

extension FlowResult {
  /// The maps of all layers, in the order of the result.
  ///
  /// Totals, completeness errors and self shares, one number per target or one per target and head,
  /// are no part of it: they stay in the JSON.
  public var flowArrays: [FlowArray] {
    layers.flatMap { layer in
      Self.places(in: layer).compactMap { place in
        layer[keyPath: place.path].map {
          FlowArray(
            name: "layers.\(layer.layer).\(place.name)", shape: $0.shape, values: $0.values)
        }
      }
    }
  }

  /// The result with its maps in a file of arrays, where they are too many for JSON.
  ///
  /// A number counts as 8 bytes, and all maps of all layers count together. Up to `bytes` they stay
  /// where they are and the list is empty; above, all of them go.
  ///
  /// - Parameters:
  ///   - bytes: The most that may stay in the JSON; the command allows 8 MB.
  ///   - file: What the file of arrays is called, for the field `arrays`.
  /// - Returns: The result to write as JSON, and the arrays to write beside it.
  public func movingArrays(
    over bytes: Int, to file: String
  ) -> (result: FlowResult, arrays: [FlowArray]) {
    let arrays = flowArrays.filter { !$0.values.isEmpty }
    guard arrays.reduce(0, { $0 + $1.values.count }) > bytes / 8 else { return (self, []) }
    var result = self
    result.arrays = file
    for index in layers.indices {
      for place in Self.places(in: layers[index]) {
        guard let array = layers[index][keyPath: place.path], !array.values.isEmpty else {
          continue
        }
        result.layers[index][keyPath: place.path] = AxisArray(
          axes: array.axes, shape: array.shape, values: [],
          tensor: "layers.\(layers[index].layer).\(place.name)")
      }
    }
    return (result, arrays)
  }

  /// The result with its maps read back from the file of arrays.
  ///
  /// - Parameter read: The numbers of the array of a name, in the order of its axes, or nil where the
  ///   file has no such array.
  /// - Returns: The result with every number in it and no file beside it.
  /// - Throws: ``ResultsError`` for an array that the file does not have or has of another size, and
  ///   what `read` throws.
  public func filled(from read: (String) throws -> [Double]?) throws -> FlowResult {
    var result = self
    result.arrays = nil
    for index in layers.indices {
      for place in Self.places(in: layers[index]) {
        guard var array = layers[index][keyPath: place.path], let tensor = array.tensor else {
          continue
        }
        let path = "layers[\(index)].\(place.name)"
        guard let values = try read(tensor) else {
          throw ResultsError.noArray(tensor, of: path)
        }
        guard let count = Self.count(array.shape), count == values.count else {
          throw ResultsError.arraySize(tensor, values.count, shape: array.shape, of: path)
        }
        array.values = values
        array.tensor = nil
        result.layers[index][keyPath: place.path] = array
      }
    }
    return result
  }

  /// The numbers of these extents; nil where no memory could hold them.
  private static func count(_ shape: [Int]) -> Int? {
    var count = 1
    for extent in shape {
      let product = count.multipliedReportingOverflow(by: extent)
      guard !product.overflow else { return nil }
      count = product.partialValue
    }
    return count
  }

  /// A map of a layer by its name in JSON.
  private struct Place {
    var name: String
    var path: WritableKeyPath<FlowLayer, AxisArray?>
  }

  private static func places(in layer: FlowLayer) -> [Place] {
    [
      Place(name: "layer_flow", path: \.layerFlow.array),
      Place(name: "attention_flow", path: \.attentionFlow.array),
      Place(name: "feed_forward_flow", path: \.feedForwardFlow.array),
      Place(name: "feed_forward_coordinates", path: \.feedForwardCoordinates),
      Place(name: "heads.conductance", path: \.heads.conductance),
      Place(name: "heads.residual", path: \.heads.residual),
    ]
      + (layer.composed ?? [:]).keys.sorted().map {
        Place(name: "composed.\($0)", path: \.composed[route: $0])
      }
  }
}

extension FlowMap? {
  /// The array of a map that there is; a map that there is not stays absent.
  fileprivate var array: AxisArray? {
    get { self?.array }
    set { if let newValue { self?.array = newValue } }
  }
}

extension FlowHeads? {
  fileprivate var conductance: AxisArray? {
    get { self?.conductance }
    set { if let newValue { self?.conductance = newValue } }
  }

  fileprivate var residual: AxisArray? {
    get { self?.residual }
    set { if let newValue { self?.residual = newValue } }
  }
}

extension [String: AxisArray]? {
  fileprivate subscript(route name: String) -> AxisArray? {
    get { self?[name] }
    set { if let newValue { self?[name] = newValue } }
  }
}
