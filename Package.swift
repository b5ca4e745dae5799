// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let collections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")

/// A room of the house: its name, what it may import (asserted by ArchitectureTests), its test target.
func room(_ name: String, _ dependencies: [Target.Dependency], fixtures: [String] = []) -> [Target] {
    [
        .target(name: name, dependencies: dependencies, swiftSettings: strict),
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.target(name: name)] + dependencies,
            exclude: fixtures,
            swiftSettings: strict
        ),
    ]
}

func systemLibrary(_ name: String, pkgConfig: String, package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

let package = Package(
    name: "swbuild",
    products: [.executable(name: "swbuild", targets: ["swbuild"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .target(name: "CShims"),
        systemLibrary("CISAL", pkgConfig: "libisal", package: "libisal-dev"),
        systemLibrary("CSQLite", pkgConfig: "sqlite3", package: "libsqlite3-dev"),
        systemLibrary("CSeccomp", pkgConfig: "libseccomp", package: "libseccomp-dev"),
        systemLibrary("CZstd", pkgConfig: "libzstd", package: "libzstd-dev"),
    ]
        + room("BuildFileParser", [], fixtures: ["Fixtures"])
        + room("OCI", [crypto])
        + room("LayerDiff", ["OCI", "CShims", "CISAL", "CZstd", crypto, system])
        + room("Exec", ["CShims", "CSeccomp", system])
        + room("Store", ["OCI", "LayerDiff", "CSQLite", system])
        + room("Registry", ["OCI", "CShims"])
        + room(
            "Builder",
            ["BuildFileParser", "OCI", "LayerDiff", "Exec", "Store", "Registry", collections, logging, system],
            fixtures: ["Fixtures"]
        )
        + [
            .executableTarget(
                name: "swbuild",
                dependencies: ["Builder", "BuildFileParser", "Exec", "OCI", "Store", argumentParser, logging],
                swiftSettings: strict
            )
        ]
)
