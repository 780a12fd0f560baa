/// Memory that C reads and writes, freed with its owner.
final class NumberStore {
  private var owned: [UnsafeMutableRawPointer] = []

  func doubles(_ count: Int, _ value: Double) -> UnsafeMutablePointer<Double> {
    let memory = UnsafeMutablePointer<Double>.allocate(capacity: Swift.max(1, count))
    memory.initialize(repeating: value, count: count)
    owned.append(UnsafeMutableRawPointer(memory))
    return memory
  }

  func doubles(_ values: [Double]) -> UnsafeMutablePointer<Double> {
    let memory = doubles(values.count, 0)
    memory.update(from: values, count: values.count)
    return memory
  }

  func integers(_ values: [Int]) -> UnsafePointer<Int64> {
    let memory = UnsafeMutablePointer<Int64>.allocate(capacity: Swift.max(1, values.count))
    memory.initialize(repeating: 0, count: values.count)
    for (index, value) in values.enumerated() { memory[index] = Int64(value) }
    owned.append(UnsafeMutableRawPointer(memory))
    return UnsafePointer(memory)
  }

  deinit { owned.forEach { $0.deallocate() } }
}
