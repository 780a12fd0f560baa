/// The bytes that are tokenized, each with the place in the source it came from.
///
/// A step that changes the text keeps, for every byte it writes, all of the source that the byte was
/// made from: the letter and the accents composed into it, both spaces of two that became one. What
/// a step adds that stands for nothing, such as a space before the text, has an empty place.
struct WorkingText {
  let bytes: [UInt8]
  /// For each byte the range of the source it stands for; `nil` where the bytes are the source's.
  private let places: [Range<Int>]?

  /// A text that is its own source.
  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    places = nil
  }

  fileprivate init(_ bytes: [UInt8], _ places: [Range<Int>]) {
    self.bytes = bytes
    self.places = places
  }

  /// The range of the source that some bytes stand for.
  func place(_ range: Range<Int>) -> Range<Int> {
    guard let places, !range.isEmpty else { return range }
    let first = places[range.lowerBound]
    let last = places[range.upperBound - 1]
    // A mark that was moved behind another can stand before it in the source.
    return min(first.lowerBound, last.lowerBound)..<max(first.upperBound, last.upperBound)
  }

  /// A text written anew from parts of another.
  struct Writer {
    private let source: WorkingText
    private(set) var bytes: [UInt8] = []
    private var places: [Range<Int>] = []

    /// Begins a text that will be about as long as a part of `source`.
    init(from source: WorkingText, _ part: Range<Int>) {
      self.source = source
      bytes.reserveCapacity(part.count + part.count / 8 + 8)
      places.reserveCapacity(part.count + part.count / 8 + 8)
    }

    /// Copies bytes of the source as they are.
    @inline(__always)
    mutating func keep(_ range: Range<Int>) {
      bytes.append(contentsOf: source.bytes[range])
      if let known = source.places {
        places.append(contentsOf: known[range])
      } else {
        for index in range { places.append(index..<(index + 1)) }
      }
    }

    /// Writes bytes that stand for some bytes of the source, or, where the range is empty, for none.
    mutating func write(_ new: some Collection<UInt8>, for range: Range<Int>) {
      let place: Range<Int>
      if range.isEmpty {
        let next = min(range.lowerBound, source.bytes.count - 1)
        let start = next < 0 ? 0 : source.place(next..<(next + 1)).lowerBound
        place = start..<start
      } else {
        place = source.place(range)
      }
      for byte in new {
        bytes.append(byte)
        places.append(place)
      }
    }

    /// Writes one scalar that stands for some bytes of the source.
    @inline(__always)
    mutating func write(_ scalar: Unicode.Scalar, for range: Range<Int>) {
      if scalar.value < 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: scalar.value))
        places.append(source.place(range))
      } else {
        write(UTF8.encode(scalar)!, for: range)
      }
    }

    /// Lets the first character stand for what lies before it, too, from an index of the source on.
    mutating func extendFirst(to index: Int) {
      guard let place = places.first else { return }
      let start = min(source.place(index..<(index + 1)).lowerBound, place.lowerBound)
      for index in places.indices {
        guard places[index] == place else { break }
        places[index] = start..<place.upperBound
      }
    }

    /// What was written.
    func finish() -> WorkingText { WorkingText(bytes, places) }
  }
}
