internal import Results

extension AxisArray {
  /// One number a target.
  init(targets values: [Double]) {
    self.init(axes: ["target"], shape: [values.count], values: values)
  }

  /// Numbers by their places on two axes.
  init(axes: [String], _ rows: Int, _ columns: Int, _ value: (Int, Int) -> Double) {
    var values: [Double] = []
    values.reserveCapacity(rows * columns)
    for row in 0..<rows {
      for column in 0..<columns { values.append(value(row, column)) }
    }
    self.init(axes: axes, shape: [rows, columns], values: values)
  }

  /// Numbers by their places on three axes.
  init(
    axes: [String], _ planes: Int, _ rows: Int, _ columns: Int,
    _ value: (Int, Int, Int) -> Double
  ) {
    var values: [Double] = []
    values.reserveCapacity(planes * rows * columns)
    for plane in 0..<planes {
      for row in 0..<rows {
        for column in 0..<columns { values.append(value(plane, row, column)) }
      }
    }
    self.init(axes: axes, shape: [planes, rows, columns], values: values)
  }
}

extension FlowMap {
  /// A map with the nodes that its integrals took.
  init(
    array: AxisArray, totals: AxisArray, errors: AxisArray, _ integrals: [Integral], targets: [Int]
  ) {
    self.init(
      array: array, totals: totals, completenessError: errors, nodes: integrals.map(\.nodes),
      unconverged: zip(integrals, targets).filter { !$0.0.isConverged }.map(\.1))
  }

  /// Gives each target a share of its column, whose sum stays.
  mutating func give(_ shares: AxisArray, _ targets: [Int]) {
    array = withSelfShares(shares, array, targets: targets)
    selfShare = shares
  }

  /// Joins what is said of the integrals of another map that this one's shares come from.
  mutating func join(_ other: FlowMap) {
    nodes = zip(nodes, other.nodes).map(max)
    unconverged = Set(unconverged + other.unconverged).sorted()
  }
}

extension FlowHeads {
  /// The same for what passes through heads: their part is what the share leaves, and the share passes beside.
  mutating func give(_ shares: AxisArray, _ flow: FlowMap, _ targets: [Int]) {
    let given = withSelfShares(shares, flow.array, targets: targets)
    let columns = targets.count
    for (column, target) in targets.enumerated() {
      residual.values[column] = given[target, column]
      // A column that cannot be shared out stays as it is.
      let kept = given[target, column] == flow.array[target, column] ? 1 : 1 - shares.values[column]
      for source in 0..<conductance.shape[0] {
        let start = (source * columns + column) * conductance.shape[2]
        for cell in start..<start + conductance.shape[2] { conductance.values[cell] *= kept }
      }
    }
  }
}
