// Dinic's algorithm on a layered graph. Level L is what the last layer leaves and level 0 the input; layer ℓ has
// an edge from each token of level ℓ + 1 to each that it reads at level ℓ. What an edge has carried can be taken
// back, so every edge has a way up as well, as wide as its flow:
//
//     down (ℓ + 1, i) → (ℓ, j):  residual r,        up (ℓ, j) → (ℓ + 1, i):  capacity − r.
//
// A phase finds all nodes' distances to the sink, and sends along shortest ways until none is left. Distances
// grow from phase to phase, so there are at most as many phases as nodes whatever the widths are: real numbers
// are no obstacle. An edge that a way fills is full exactly, so no threshold is needed.

/// The largest flow between two nodes of a layered graph.
struct LayeredFlow {
  private let count: Int
  private let capacity: [[Double]]
  private var residual: [[Double]]
  /// The distance of each node (level · count + token) to the sink; −1 for none.
  private var distance: [Int]
  /// The first arc of each node that may still lead on: 0..<count down, then up.
  private var arc: [Int]

  init(_ graph: AttentionGraph) {
    count = graph.count
    capacity = graph.layers
    residual = graph.layers
    let nodes = (graph.layers.count + 1) * graph.count
    distance = Array(repeating: -1, count: nodes)
    arc = Array(repeating: 0, count: nodes)
  }

  /// The largest flow from a token after the last layer down to one of the input.
  mutating func largest(from position: Int, to token: Int) -> Double {
    let source = capacity.count * count + position
    guard source != token else { return 1 }
    var flow = 0.0
    while measure(from: source, to: token) {
      for node in arc.indices { arc[node] = 0 }
      while true {
        let sent = send(from: source, to: token)
        if sent == 0 { break }
        flow += sent
      }
    }
    return flow
  }

  /// How much an arc of a node can still carry, and where it leads.
  private func open(_ arc: Int, of node: Int) -> (room: Double, end: Int) {
    let level = node / count
    let token = node % count
    if arc < count {
      guard level > 0 else { return (0, node) }
      return (residual[level - 1][token * count + arc], node - count - token + arc)
    }
    let above = arc - count
    guard level < capacity.count else { return (0, node) }
    let edge = above * count + token
    return (capacity[level][edge] - residual[level][edge], node + count - token + above)
  }

  /// Distances to the sink, breadth first; false where the source has none.
  private mutating func measure(from source: Int, to sink: Int) -> Bool {
    for node in distance.indices { distance[node] = -1 }
    distance[sink] = 0
    var queue = [sink]
    var next = 0
    while next < queue.count, distance[source] < 0 {
      let node = queue[next]
      next += 1
      let level = node / count
      let token = node % count
      // Whose arcs lead here: down from above, and up from below.
      for other in 0..<count {
        if level < capacity.count, distance[node + count - token + other] < 0,
          residual[level][other * count + token] > 0
        {
          distance[node + count - token + other] = distance[node] + 1
          queue.append(node + count - token + other)
        }
        if level > 0, distance[node - count - token + other] < 0,
          capacity[level - 1][token * count + other] - residual[level - 1][token * count + other]
            > 0
        {
          distance[node - count - token + other] = distance[node] + 1
          queue.append(node - count - token + other)
        }
      }
    }
    return distance[source] >= 0
  }

  /// Sends along one shortest way as much as it takes; 0 where none is left.
  private mutating func send(from source: Int, to sink: Int) -> Double {
    var way: [(node: Int, arc: Int)] = []
    var node = source
    while node != sink {
      var found = false
      while arc[node] < 2 * count {
        let (room, end) = open(arc[node], of: node)
        if room > 0, distance[end] == distance[node] - 1, distance[end] >= 0 {
          way.append((node, arc[node]))
          node = end
          found = true
          break
        }
        arc[node] += 1
      }
      if found { continue }
      guard let last = way.popLast() else { return 0 }
      node = last.node
      arc[node] += 1
    }
    let sent = way.reduce(Double.infinity) { min($0, open($1.arc, of: $1.node).room) }
    for (node, arc) in way {
      let level = node / count
      let token = node % count
      let isFull = open(arc, of: node).room == sent
      if arc < count {
        residual[level - 1][token * count + arc] -= sent
      } else {
        let edge = (arc - count) * count + token
        residual[level][edge] = isFull ? capacity[level][edge] : residual[level][edge] + sent
      }
    }
    return sent
  }
}
