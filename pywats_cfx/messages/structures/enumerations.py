"""Enumerations of ``CFX.Structures``."""

from __future__ import annotations

from collections.abc import Mapping

from pywats_cfx.messages.wire import CFXEnum


class TestResult(CFXEnum):
    """Verdict on a unit, a test or a measurement."""

    __test__ = False  # not a test of ours

    Passed = "Passed"
    Failed = "Failed"
    Error = "Error"
    Aborted = "Aborted"
    Skipped = "Skipped"


class TestMethod(CFXEnum):
    """How units are tested."""

    __test__ = False  # not a test of ours

    Human = "Human"
    Automated = "Automated"
    ICT = "ICT"
    FPT = "FPT"
    FCT = "FCT"
    BST = "BST"


class InspectionMethod(CFXEnum):
    """How units are inspected."""

    Human = "Human"
    AOI = "AOI"
    SPI = "SPI"
    AXI = "AXI"


class VerificationResult(CFXEnum):
    """What a second look said of a finding."""

    NotVerifiedYet = "NotVerifiedYet"
    DefectConfirmed = "DefectConfirmed"
    DefectRejected = "DefectRejected"
    DefectAccepted = "DefectAccepted"
    DefectRepaired = "DefectRepaired"
    DefectClosed = "DefectClosed"


class SamplingMethod(CFXEnum):
    """How the units were chosen."""

    NoSampling = "NoSampling"
    ANSI_Z14 = "ANSI_Z14"
    MIL_STD_105 = "MIL_STD_105"
    MIL_STD_1916 = "MIL_STD_1916"
    Squeglia = "Squeglia"
    FixedSample = "FixedSample"


class ActorType(CFXEnum):
    """Who acts."""

    Human = "Human"
    Robot = "Robot"
    RemoteSystem = "RemoteSystem"


class IssueStatus(CFXEnum):
    """State of a symptom."""

    NewlyDiscovered = "NewlyDiscovered"
    Confirmed = "Confirmed"
    False_ = "False"
    Repaired = "Repaired"
    Closed = "Closed"


class FileTransferMode(CFXEnum):
    """Where the bytes of a file or image are."""

    InBand = "InBand"
    OutOfBand = "OutOfBand"


class UnitStatus(CFXEnum):
    """State of the unit at a position."""

    Pass = "Pass"  # noqa: S105  # a status, no secret
    Fail = "Fail"
    Scrap = "Scrap"
    Skip = "Skip"


class WorkResult(CFXEnum):
    """How a transaction ended."""

    Completed = "Completed"
    Failed = "Failed"
    Aborted = "Aborted"
    Skipped = "Skipped"


class PerformanceImpactCause(CFXEnum):
    """Why work took longer than it should."""

    AlternativeTrackUsed = "AlternativeTrackUsed"
    DeactivatedSegmentOnHead = "DeactivatedSegmentOnHead"
    VisionSystemDumpAlwaysActivated = "VisionSystemDumpAlwaysActivated"
    AdditionalImageAcquisition = "AdditionalImageAcquisition"
    LowFeederSpeed = "LowFeederSpeed"
    GangPickNoParallelPick = "GangPickNoParallelPick"


class StageType(CFXEnum):
    """Kind of a stage."""

    Work = "Work"
    Buffer = "Buffer"


class Surface(CFXEnum):
    """Side of the board."""

    Unspecified = "Unspecified"
    PrimarySurface = "PrimarySurface"
    SecondarySurface = "SecondarySurface"


class DisqualificationReason(CFXEnum):
    """Why units were ruled out."""

    DefectiveRepairNotPossible = "DefectiveRepairNotPossible"
    DefectiveRepairNotFeasible = "DefectiveRepairNotFeasible"
    DefectiveMaterials = "DefectiveMaterials"


class NonInstalledComponentLocation(CFXEnum):
    """Where a component went that was not installed."""

    Lost = "Lost"
    MaterialCarrier = "MaterialCarrier"
    RejectionBox = "RejectionBox"


class RejectionReason(CFXEnum):
    """Why a component was not installed."""

    Unknown = "Unknown"
    MechanicalError = "MechanicalError"
    ElectricalError = "ElectricalError"
    SoftwareError = "SoftwareError"
    ExternalDeviceError = "ExternalDeviceError"
    BadElectricalTest = "BadElectricalTest"
    ErrorAfterPickUp = "ErrorAfterPickUp"
    BadVisionTestAfterPickup = "BadVisionTestAfterPickup"
    BadPressureTestAfterPickup = "BadPressureTestAfterPickup"
    BadOpticalTestAfterPickup = "BadOpticalTestAfterPickup"
    ErrorAfterPlacement = "ErrorAfterPlacement"
    BadVisionTestAfterPlacement = "BadVisionTestAfterPlacement"
    BadPressureTestAfterPlacement = "BadPressureTestAfterPlacement"
    BadOpticalTestAfterPlacement = "BadOpticalTestAfterPlacement"
    BadVisionTestBeforePickup = "BadVisionTestBeforePickup"
    ErrorAfterElectricalTest = "ErrorAfterElectricalTest"
    BadVisionTestAfterElectricalTest = "BadVisionTestAfterElectricalTest"
    BadPressureTestAfterElectricalTest = "BadPressureTestAfterElectricalTest"
    BadOpticalTestAfterElectricalTest = "BadOpticalTestAfterElectricalTest"


class FaultCause(CFXEnum):
    """Class of cause of a fault."""

    LoadError = "LoadError"
    UnloadError = "UnloadError"
    AutoSafetyStop = "AutoSafetyStop"
    SafetyStop = "SafetyStop"
    QualityCheck = "QualityCheck"
    RemoteStop = "RemoteStop"
    MechanicalFailure = "MechanicalFailure"
    SoftwareFailure = "SoftwareFailure"
    PowerFailure = "PowerFailure"
    MissingDocumentation = "MissingDocumentation"
    Refill = "Refill"
    MsdExpired = "MsdExpired"
    MaterialExpired = "MaterialExpired"
    MissingComponent = "MissingComponent"
    ElectricalFailure = "ElectricalFailure"
    ServicesFailure = "ServicesFailure"
    ProcessError = "ProcessError"
    RejectedComponent = "RejectedComponent"


class FaultSeverity(CFXEnum):
    """How bad a fault is."""

    Information = "Information"
    Warning = "Warning"
    Error = "Error"
    Alarm = "Alarm"


class SideLocation(CFXEnum):
    """Side of the machine."""

    Unknown = "Unknown"
    Right = "Right"
    Left = "Left"
    Both = "Both"


class AccessType(CFXEnum):
    """From where a fault can be dealt with."""

    Unknown = "Unknown"
    Ignore = "Ignore"
    Local = "Local"
    Remote = "Remote"


class ResourceState(CFXEnum):
    """SEMI E10/E58 state of equipment. The wire has the four-digit code as text."""

    PRD = "1000"
    PRD_RegularWork = "1100"
    PRD_WorkForThirdParties = "1200"
    PRD_Rework = "1300"
    PRD_Engineering = "1400"
    SBY = "2000"
    SBY_NoOperator = "2100"
    SBY_NoProduct = "2200"
    SBY_NoProductBlocked = "2201"
    SBY_NoProductStarved = "2202"
    SBY_NoSupportTool = "2300"
    SBY_AssociatedClusterModuleDown = "2400"
    SBY_NoHost = "2500"
    ENG = "3000"
    ENG_ProcessExperiments = "3100"
    ENG_EquipmentExperiments = "3200"
    SDT = "4000"
    SDT_UserMaintenanceDelay = "4100"
    SDT_SuppliedMaintenanceDelay = "4200"
    SDT_PreventiveMaintenance = "4300"
    SDT_ChangeOfConsumables = "4400"
    SDT_Setup = "4500"
    SDT_ProductionTest = "4600"
    SDT_FacilitiesRelated = "4700"
    USD = "5000"
    USD_UserMaintentanceDelay = "5100"  # the standard's own spelling
    USD_SuppliedMaintenanceDelay = "5200"
    USD_Repair = "5300"
    USD_OutOfSpecInputMaterial = "5400"
    USD_ChangeOfConsumables = "5500"
    USD_FacilitiesRelated = "5600"
    NST = "6000"
    NST_UnworkedShifts = "6100"
    NST_EquipmentInstallation = "6200"
    NST_EquipmentModifications = "6300"
    NST_OfflineTraining = "6400"
    NST_ShutdownAndStartup = "6500"

    @classmethod
    def numbers(cls) -> Mapping[int, str]:
        """Give the name of the member that each code stands for."""
        return {int(member.value): name for name, member in cls.__members__.items()}

    @classmethod
    def _missing_(cls, value: object) -> CFXEnum | None:
        # Codes of an early edition, before the standard gave these two states numbers.
        early = {"22a0": cls.SBY_NoProductBlocked, "22b0": cls.SBY_NoProductStarved}
        return early.get(str(value).strip().lower()) or super()._missing_(value)
