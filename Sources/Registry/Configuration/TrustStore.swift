import CShims
import Glibc
import OCI
import Synchronization

/// Which certificates count for which server.
///
/// Source: containers-certs.d(5): of several directories for a host, the first that is there counts.
final class TrustStore: Sendable {
    /// The files in which distributions keep the certificates that the system trusts.
    private static let systemAuthorities = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]
    private static let largestFile = 16 << 20

    private struct Key: Hashable {
        let origin: HTTPOrigin
        let isInsecure: Bool
    }

    private struct State {
        var trusts: [Key: TLSTrust] = [:]
        /// What is open for as long as this is.
        var descriptors: [CInt] = []
    }

    private let directories: [String]
    private let insecure: Set<String>
    private let state = Mutex(State())

    init(_ configuration: RegistryConfiguration) {
        directories = configuration.certificateDirectories
        insecure = Set(configuration.insecureRegistries.map { $0.lowercased() })
    }

    deinit {
        for descriptor in state.withLock({ $0.descriptors }) { close(descriptor) }
    }

    /// Whether a registry may be asked over plain HTTP, or TLS that nobody vouches for.
    func isInsecure(_ authority: String) -> Bool {
        let name = authority.lowercased()
        if insecure.contains(name) { return true }
        guard let colon = name.lastIndex(of: ":"), !name.hasSuffix("]") else { return false }
        return insecure.contains(String(name[..<colon]))
    }

    /// The trust for a server, read when it is first asked; an insecure one needs no certificate that counts.
    func trust(for origin: HTTPOrigin, isInsecure: Bool) throws(RegistryFailure) -> TLSTrust {
        guard origin.isSecure else { return TLSTrust() }
        let key = Key(origin: origin, isInsecure: isInsecure || self.isInsecure("\(origin.host):\(origin.port)"))
        return try state.withLock { (state) throws(RegistryFailure) in
            if let known = state.trusts[key] { return known }
            do throws(RegistryConfigurationError) {
                let trust = try read(for: key, &state)
                state.trusts[key] = trust
                return trust
            } catch {
                throw RegistryFailure(.configuration(error))
            }
        }
    }

    private func read(for key: Key, _ state: inout State) throws(RegistryConfigurationError) -> TLSTrust {
        var trust = TLSTrust()
        trust.isUnverified = key.isInsecure
        guard let (directory, names) = directory(for: key.origin) else { return trust }
        let authorities = names.filter { $0.hasSuffix(".crt") }.map { "\(directory)/\($0)" }
        if !authorities.isEmpty, !trust.isUnverified {
            let descriptor = try combine(authorities)
            state.descriptors.append(descriptor)
            trust.authorities = "/proc/self/fd/\(descriptor)"
        }
        // libcurl shows one certificate; where there are several, it's the first by name.
        if let certificate = names.first(where: { $0.hasSuffix(".cert") }) {
            let key = certificate.dropLast("cert".count) + "key"
            guard names.contains(String(key)) else {
                throw RegistryConfigurationError(
                    path: "\(directory)/\(certificate)",
                    problem: "the key to this certificate is missing: expected \(key) beside it"
                )
            }
            trust.clientCertificate = "\(directory)/\(certificate)"
            trust.clientKey = "\(directory)/\(key)"
        }
        return trust
    }

    /// The first directory for a host that is there and may be read, and the names in it, sorted.
    private func directory(for origin: HTTPOrigin) -> (path: String, names: [String])? {
        var hosts = [origin.authority, "\(origin.host):\(origin.port)"]
        if origin.host == "registry-1.docker.io" { hosts.append("docker.io") }
        for directory in directories {
            for host in hosts {
                if let names = DirectoryNames.all(in: "\(directory)/\(host)") { return ("\(directory)/\(host)", names) }
            }
        }
        return nil
    }

    /// A file without a name that has the system's certificates and those of `paths`: libcurl takes one file.
    private func combine(_ paths: [String]) throws(RegistryConfigurationError) -> CInt {
        let names: [String] = ["SSL_CERT_FILE", "CURL_CA_BUNDLE"]
        let variables = names.compactMap { name in getenv(name).map { String(cString: $0) } }
        let system = (variables + Self.systemAuthorities).first { access($0, R_OK) == 0 }
        let descriptor = swb_memory_file("certificates")
        do throws(HostFileError) {
            guard descriptor >= 0 else { throw HostFileError("create", "a file for certificates", code: -descriptor) }
            for path in [system].compactMap(\.self) + paths {
                let bytes = try HostFile.read(path, limit: Self.largestFile) + [UInt8(ascii: "\n")]
                try HostFile.write(bytes[...], descriptor: descriptor, named: path)
            }
            return descriptor
        } catch {
            if descriptor >= 0 { close(descriptor) }
            throw RegistryConfigurationError(path: error.path, problem: error.description)
        }
    }
}
