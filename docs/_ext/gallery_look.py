"""The pages' own plots look like those of the library's displays."""

from cycler import cycler

from skactive.utils.drawing import PALETTE


def of_the_house(gallery_conf, fname):
    """Colours that the colour-blind tell apart, no frame: set before each example."""
    import matplotlib

    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=PALETTE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "legend.fontsize": "small",
            "savefig.dpi": 110,
        }
    )
