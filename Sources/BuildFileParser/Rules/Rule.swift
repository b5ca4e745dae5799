/// A check of a build file.
///
/// The names are BuildKit's where it has the same check (docs.docker.com, "Build checks"); the last group is swbuild's.
public enum Rule: String, Sendable, Hashable, CaseIterable {
    case stageNameCasing = "StageNameCasing"
    case fromAsCasing = "FromAsCasing"
    case noEmptyContinuation = "NoEmptyContinuation"
    case consistentInstructionCasing = "ConsistentInstructionCasing"
    case duplicateStageName = "DuplicateStageName"
    case reservedStageName = "ReservedStageName"
    case jsonArgsRecommended = "JSONArgsRecommended"
    case maintainerDeprecated = "MaintainerDeprecated"
    case undefinedArgInFrom = "UndefinedArgInFrom"
    case workdirRelativePath = "WorkdirRelativePath"
    case undefinedVar = "UndefinedVar"
    case multipleInstructionsDisallowed = "MultipleInstructionsDisallowed"
    case legacyKeyValueFormat = "LegacyKeyValueFormat"
    case invalidBaseImagePlatform = "InvalidBaseImagePlatform"
    case redundantTargetPlatform = "RedundantTargetPlatform"
    case secretsUsedInArgOrEnv = "SecretsUsedInArgOrEnv"
    case invalidDefaultArgInFrom = "InvalidDefaultArgInFrom"
    case fromPlatformFlagConstDisallowed = "FromPlatformFlagConstDisallowed"
    case copyIgnoredFile = "CopyIgnoredFile"
    case invalidDefinitionDescription = "InvalidDefinitionDescription"
    case exposeProtoCasing = "ExposeProtoCasing"
    case exposeInvalidFormat = "ExposeInvalidFormat"

    case heredocWithoutErrexit = "HeredocWithoutErrexit"
    case recursiveOwnershipChange = "RecursiveOwnershipChange"
    case aptWithoutCleanup = "AptWithoutCleanup"
    case secretInArgOrEnvValue = "SecretInArgOrEnvValue"
    case globalArgNotInStage = "GlobalArgNotInStage"
    case unknownCheck = "UnknownCheck"

    /// How much a finding weighs.
    public enum Severity: String, Sendable, Hashable {
        /// The build does something else than it seems to, or leaves what it should not.
        case warning
        /// It works, but is written so that it misleads a reader or may stop working.
        case style
    }
}

extension Rule {
    /// The rule as a row of the table: what is known about it without any build file.
    public struct Properties: Sendable, Hashable {
        /// How much a finding weighs.
        public var severity: Severity
        /// What the rule asks for, in one sentence.
        public var summary: String
        /// Whether it is off unless `experimental=` names it.
        public var isExperimental = false
    }

    /// The page that explains the rule.
    public var page: String { "docs/rules/\(rawValue).md" }

    /// What is known about the rule without any build file.
    public var properties: Properties {
        switch self {
        case .stageNameCasing: .init(.style, "Stage names should be in lower case")
        case .fromAsCasing: .init(.style, "AS should have the case of its FROM")
        case .noEmptyContinuation: .init(.style, "A continued instruction should have no blank lines in it")
        case .consistentInstructionCasing: .init(.style, "All instructions should be in upper case, or all in lower")
        case .duplicateStageName: .init(.warning, "Every stage should have a name of its own")
        case .reservedStageName: .init(.warning, "Stages should not be named `scratch` or `context`")
        case .jsonArgsRecommended: .init(.warning, "CMD and ENTRYPOINT should be JSON arrays, so that signals arrive")
        case .maintainerDeprecated: .init(.style, "A label should name the author, not MAINTAINER")
        case .undefinedArgInFrom: .init(.warning, "FROM should use only arguments that are declared above it")
        case .workdirRelativePath:
            .init(.warning, "The first WORKDIR should be absolute, since a relative one depends on the base image")
        case .undefinedVar: .init(.warning, "Variables should be defined before they are used")
        case .multipleInstructionsDisallowed:
            .init(.warning, "A stage should have one CMD, ENTRYPOINT and HEALTHCHECK at most: only the last counts")
        case .legacyKeyValueFormat: .init(.style, "ENV and LABEL should be written `name=value`, not `name value`")
        case .invalidBaseImagePlatform: .init(.warning, "A base image should be of the platform that is built for")
        case .redundantTargetPlatform: .init(.style, "FROM need not name $TARGETPLATFORM, the platform that it has")
        case .secretsUsedInArgOrEnv: .init(.warning, "ARG and ENV should not hold secrets: the image shows them")
        case .invalidDefaultArgInFrom: .init(.warning, "FROM should name an image also with the defaults of ARG")
        case .fromPlatformFlagConstDisallowed: .init(.style, "--platform of FROM should not be a constant")
        case .copyIgnoredFile: .init(.warning, "COPY and ADD should not name what the ignore file leaves out")
        case .invalidDefinitionDescription:
            .init(.style, "A comment above ARG or FROM should be `# name description`", isExperimental: true)
        case .exposeProtoCasing: .init(.style, "The protocol of EXPOSE should be in lower case")
        case .exposeInvalidFormat: .init(.warning, "EXPOSE should name a port, without address or port of the host")
        case .heredocWithoutErrexit:
            .init(.warning, "A script in a here-document should stop at the first command that fails")
        case .recursiveOwnershipChange:
            .init(.warning, "Owner and mode should be set where files are copied, not by a later RUN")
        case .aptWithoutCleanup:
            .init(.warning, "A RUN that installs packages should not leave the package lists in its layer")
        case .secretInArgOrEnvValue: .init(.warning, "The values of ARG and ENV should not be credentials")
        case .globalArgNotInStage:
            .init(.warning, "An ARG above the first FROM should be declared again in a stage that uses it")
        case .unknownCheck: .init(.warning, "The check directive should name rules that exist")
        }
    }
}

extension Rule.Properties {
    fileprivate init(_ severity: Rule.Severity, _ summary: String, isExperimental: Bool = false) {
        self.init(severity: severity, summary: summary, isExperimental: isExperimental)
    }
}
