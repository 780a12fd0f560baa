/// A JSON value, with objects in the order of the text and integers exact.
///
/// Two strings are the same only if their UTF-8 bytes are: unlike `String`'s own `==`, which takes
/// canonically equivalent texts for one. Vocabularies hold such pairs as different tokens.
public enum JSON: Sendable {
  /// `null`
  case null
  /// `true` or `false`
  case boolean(Bool)
  /// A number
  case number(JSONNumber)
  /// A string
  case string(String)
  /// An array
  case array([JSON])
  /// An object
  case object(JSONObject)
}

/// A JSON number: an integer where the text wrote one that `Int` can hold, else the nearest `Double`.
public enum JSONNumber: Sendable, Equatable {
  /// Written without fraction or exponent, and within `Int`.
  case integer(Int)
  /// Everything else.
  case real(Double)

  /// The value as `Double`; exact for integers up to 2⁵³.
  public var double: Double {
    switch self {
    case .integer(let value): Double(value)
    case .real(let value): value
    }
  }
}

/// The members of a JSON object, in the order of the text, no key twice.
public struct JSONObject: Sendable {
  /// One key with its value.
  public struct Member: Sendable {
    /// The key, exactly as decoded.
    public let key: String
    /// Its value.
    public let value: JSON
  }

  /// All members in order.
  public let members: [Member]

  /// An object without members.
  public static let empty = JSONObject(members: [])

  init(members: [Member]) { self.members = members }

  /// An object of these members, in this order; the keys differ.
  public init(_ members: [(key: String, value: JSON)]) {
    self.members = members.map { Member(key: $0.key, value: $0.value) }
  }

  /// The number of members.
  public var count: Int { members.count }

  /// The keys in order.
  public var keys: some Sequence<String> { members.lazy.map(\.key) }

  /// The value of the key with these very bytes, found by going through the members in order.
  ///
  /// Reading many keys of a large object this way is quadratic: go through ``members`` instead.
  public subscript(key: String) -> JSON? {
    for member in members where exactlyEqual(member.key, key) { return member.value }
    return nil
  }
}

extension JSON {
  /// The value of a key, if this is an object that has it.
  public subscript(key: String) -> JSON? { object?[key] }

  /// The element at an index, if this is an array that has it.
  public subscript(index: Int) -> JSON? {
    guard let array, array.indices.contains(index) else { return nil }
    return array[index]
  }

  /// Whether this is `null`.
  public var isNull: Bool { if case .null = self { true } else { false } }

  /// The truth value, if this is one.
  public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }

  /// The integer, if this is a number written as one.
  public var integer: Int? { if case .number(.integer(let value)) = self { value } else { nil } }

  /// The number, if this is one.
  public var double: Double? { if case .number(let value) = self { value.double } else { nil } }

  /// The string, if this is one.
  public var string: String? { if case .string(let value) = self { value } else { nil } }

  /// The elements, if this is an array.
  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

  /// The object, if this is one.
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

  /// The members in order, if this is an object.
  public var members: [JSONObject.Member]? { object?.members }

  /// What kind of value this is, as messages say it: `an object` or `a string`.
  public var kind: String {
    switch self {
    case .null: "null"
    case .boolean: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSON: Equatable {
  /// Equal values; strings by their bytes, objects with the same members in any order.
  public static func == (left: JSON, right: JSON) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.boolean(let a), .boolean(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.string(let a), .string(let b)): exactlyEqual(a, b)
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)): a == b
    default: false
    }
  }
}

extension JSONObject: Equatable {
  /// The same members in any order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    guard left.count == right.count else { return false }
    var byKey = [ExactString: JSON](minimumCapacity: left.count)
    for member in left.members { byKey[ExactString(member.key)] = member.value }
    return right.members.allSatisfy { byKey[ExactString($0.key)] == $0.value }
  }
}

/// A string that is compared and hashed by its UTF-8 bytes.
public struct ExactString: Hashable, Sendable {
  /// The text.
  public let text: String

  /// The text as a key.
  public init(_ text: String) { self.text = text }

  /// Whether the bytes are the same.
  public static func == (left: ExactString, right: ExactString) -> Bool {
    exactlyEqual(left.text, right.text)
  }

  /// Feeds the bytes.
  public func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xFF as UInt8)
  }
}

/// Whether two strings have the same UTF-8 bytes.
func exactlyEqual(_ left: String, _ right: String) -> Bool {
  left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// An object of these members, in this order; the keys differ.
  public init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}
