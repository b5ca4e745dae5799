import OCI

/// A token that a token server gave.
struct BearerToken: Sendable {
    let text: String
    private let goodUntil: ContinuousClock.Instant

    var isGood: Bool { ContinuousClock.now < goodUntil }

    /// Takes a token that is good for so many seconds: the end is brought forward, since requests take their time.
    init(text: String, seconds: Int64) {
        self.text = text
        let lifetime = min(max(seconds, 0), 24 * 3600)
        goodUntil = ContinuousClock.now + .seconds(lifetime - min(10, lifetime / 2))
    }

    /// Reads a token server's answer: `token` or `access_token`; good for 60 seconds where it does not say.
    ///
    /// Source: distribution's token specification, "Token Response Fields".
    init?(json: JSONValue) {
        let texts = [json["token"]?.string, json["access_token"]?.string].compactMap(\.self)
        guard let text = texts.first(where: { !$0.isEmpty }) else { return nil }
        self.init(text: text, seconds: json["expires_in"]?.integer ?? 60)
    }
}
