// swift-tools-version: 6.2
import PackageDescription

// The rooms that read what comes from outside, once more, instrumented for libFuzzer: `Sources/` links to them.

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
let instrumented = strict + [.unsafeFlags(["-sanitize=fuzzer"])]
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

func systemLibrary(_ name: String, pkgConfig: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig)
}

let package = Package(
    name: "fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-system", from: "1.8.1")],
    targets: [
        .target(name: "CShims"),
        systemLibrary("CISAL", pkgConfig: "libisal"),
        systemLibrary("CZstd", pkgConfig: "libzstd"),
        .target(name: "Crypto", swiftSettings: strict),
        .target(name: "BuildFileParser", swiftSettings: instrumented),
        .target(name: "OCI", dependencies: ["Crypto"], swiftSettings: instrumented),
        .target(
            name: "LayerDiff",
            dependencies: ["OCI", "CShims", "CISAL", "CZstd", "Crypto", system],
            swiftSettings: instrumented
        ),
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "Fuzz",
            dependencies: ["CFuzzer", "BuildFileParser", "OCI", "LayerDiff", system],
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]
        ),
    ]
)
