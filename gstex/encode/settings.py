"""When a fit does what, and how finely it stores: the numbers behind --effort, --sampling and --loss."""

from dataclasses import dataclass, replace

from gstex.encode.quantisation import Precision


@dataclass(frozen=True)
class Settings:
    """Settings of one fit.

    steps: optimiser steps in all. freeze_at: share of them after which levels, cells and count are fixed and
        training sees the quantised values.
    relocations: how often the least useful Gaussians move to where the error is, in the first `relocate_until`
        of the steps; relocate_share: share of the Gaussians moved the first time, falling to a quarter of it.
    jitter: share of the first steps that sample between the texel centres against the bilinearly filtered original;
        0 for none at all. From then on the share follows the error there, which may be jitter_gap dB above that of
        the centres.
    sigma_min: smallest sigma in texels. start_sigma: sigma of new Gaussians in texels.
    loss: 'l2' or 'perceptual'.
    fineness: factor of the root mean square error by which the precision of what is stored is chosen.
    excess: Gaussians beyond the budget until the freeze, as a factor.
    settle: rounds of fine-tuning, in the steps after settle_at (a share of all). Each refines the stored features, and
        then trains the geometry for them; 0 for no such rounds.
    polish: how often all codes are improved after training (ops/*/refine_features, refine_geometry); 0 leaves them.
    replace_every: steps between two updates of levels, cells and tile lists.
    grid: whether a regular grid is tried too (encode/uniform_grid.py).
    """

    steps: int
    relocations: int
    jitter: float = 0.25
    sigma_min: float = 0.4
    loss: str = "l2"
    fineness: float = 1.0
    freeze_at: float = 0.6
    relocate_until: float = 0.55
    relocate_share: float = 0.18
    start_sigma: float = 3.0
    relocated_sigma: float = 1.5
    replace_every: int = 10
    settle: int = 0
    settle_at: float = 0.8
    polish: int = 1
    jitter_gap: float = 0.8
    excess: float = 1.04
    grid: bool = True

    # Adam. Rates: texels, radians, log sigma, log amplitude, feature; they fall by `decay` over the last
    # `decay_share` of the steps (geometric).
    position_rate: float = 0.7
    rotation_rate: float = 0.06
    scale_rate: float = 0.08
    amplitude_rate: float = 0.03
    feature_rate: float = 0.016
    decay: float = 0.03
    decay_share: float = 0.55
    beta1: float = 0.9
    beta2: float = 0.97


# steps, relocations, rounds of settling and polishing. A step of a 1024x1024x8 stack takes about 0.15 s on two cores.
# Most steps of a draft are on the picture at half its size (draft.py).
EFFORTS = {"draft": (66, 5, 0, 0), "fast": (250, 6, 2, 1), "normal": (1000, 28, 12, 6), "thorough": (2500, 28, 30, 12)}

# bits per texel per channel that varies.
QUALITIES = {"draft": 0.0625, "normal": 0.125, "high": 0.25}

# To restore a damaged picture is to fit it before the damage is fitted too: few steps, whatever the effort (4 times
# as many are up to 0.8 dB worse), at a rate that has room for the picture and not for its noise. Most of the error
# that is left is damage, so the precision suits a fraction of it (0.07 dB better on average). Tried and left out:
# sampling mostly between the texels, where filtering has averaged the noise (1 dB better where noise is strong and the
# picture plain, up to 1 dB worse on fine detail), and the perceptual loss, which keeps the noise (2 dB worse).
RESTORE_EFFORT = "fast"
RESTORE_FINENESS = 0.09
RESTORE_RATE = 8.0  # times the bits of QUALITIES


def make_settings(effort: str, sampling: str, loss: str) -> Settings:
    """Settings for an effort ('draft', 'fast', 'normal', 'thorough'), sampling ('direct', 'bilinear') and loss.

    loss: 'l2', 'perceptual' or 'restore', which is 'l2' with settings of its own.
    """
    restore = loss == "restore"
    steps, relocations, settle, polish = EFFORTS[RESTORE_EFFORT if restore else effort]
    draft = effort == "draft" and not restore
    settings = Settings(
        steps=steps,
        relocations=relocations,
        settle=settle if loss != "perceptual" else 0,  # settling lowers the squared error
        polish=polish,
        loss="l2" if restore else loss,
        fineness=RESTORE_FINENESS if restore else 1.0,
        grid=not restore and not draft,  # a grid is equally fine everywhere, so it would fit the noise
    )
    return for_sampling(settings, sampling, draft=draft)


def for_sampling(settings: Settings, sampling: str, *, draft: bool = False) -> Settings:
    """The same settings for another sampling. draft: whether they are those of effort draft."""
    bilinear = sampling == "bilinear"
    return replace(settings, jitter=0.0 if bilinear or draft else 0.25, sigma_min=0.25 if bilinear else 0.4)


def rate_of(quality: str, loss: str) -> float:
    """Bits per texel and channel that varies of a quality ('draft', 'normal', 'high')."""
    return QUALITIES[quality] * (RESTORE_RATE if loss == "restore" else 1.0)


def choose_precision(rmse: float) -> Precision:
    """Precision that suits a fit with this root mean square error (values 0..1)."""
    return Precision(
        position_step=min(max(6.8 * rmse + 0.06, 0.08), 0.5),
        rotation_bits=6 if rmse < 0.06 else 4,
        scale_bits=6 if rmse < 0.02 else 5 if rmse < 0.06 else 4,
        amplitude_bits=4,
        feature_step=min(max(2.2 * rmse, 1 / 512), 1 / 20),
    )
