import OCI

/// The annotations of a bundle that tell what its image says.
///
/// Source: image-spec 1.1, conversion.md, "Annotation Fields"; labels become annotations as they are and win.
enum ImageAnnotations {
    static func of(_ config: ImageConfig) -> [String: String] {
        var result: [String: String] = [
            "org.opencontainers.image.os": config.platform.os,
            "org.opencontainers.image.architecture": config.platform.architecture,
        ]
        if !config.platform.variant.isEmpty {
            result["org.opencontainers.image.variant"] = config.platform.variant
        }
        if let author = config.author { result["org.opencontainers.image.author"] = author }
        if let created = config.created { result["org.opencontainers.image.created"] = created }
        let signal = config.runtime.stopSignal
        if !signal.isEmpty { result["org.opencontainers.image.stopSignal"] = signal }
        let ports = config.runtime.json["ExposedPorts"]?.object?.keys.sorted() ?? []
        if !ports.isEmpty { result["org.opencontainers.image.exposedPorts"] = ports.joined(separator: ",") }
        return result.merging(config.runtime.labels) { $1 }
    }
}
