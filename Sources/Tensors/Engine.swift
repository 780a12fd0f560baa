internal import CTorch

/// Settings of the engine as a whole.
public enum Engine {
  /// The number of threads that products run on.
  public static var threads: Int {
    get { Int(ct_threads()) }
    set { ct_set_threads(Int32(newValue)) }
  }

  /// The version of libtorch in use.
  public static var version: String { String(cString: ct_engine_version()) }

  /// Makes random tensors repeatable.
  public static func seed(_ value: UInt64) { ct_seed(value) }
}
