/// The version of Telescope, as results and `telescope --version` give it.
public let telescopeVersion = "0.1.0"
