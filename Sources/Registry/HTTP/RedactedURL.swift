/// The URL without what may be secret: user and password, query and fragment.
///
/// A URL's query often is a credential: signed links carry their signature in it.
public func redacted(_ url: String) -> String {
    var rest = url[...]
    var result = ""
    if let scheme = rest.firstRange(of: "://") {
        result += rest[..<scheme.upperBound]
        rest = rest[scheme.upperBound...]
    }
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    let path = rest[authority.endIndex...].prefix { $0 != "?" && $0 != "#" }
    result += host + path
    return path.endIndex == rest.endIndex ? result : result + "?…"
}
