"""A real browser for tests: Chromium without a window, driven by Selenium."""

import contextlib
import shutil

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 90  # seconds, on a machine that is busy


def need_browser():
    """The paths of a browser and its driver; the test is skipped where there is none."""
    pytest.importorskip("selenium", reason="needs Selenium: pip install selenium")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    return browser, driver


@contextlib.contextmanager
def open_browser():
    """A browser without a window; several pages may be opened in it, one after another."""
    from selenium import webdriver

    browser, driver = need_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu",
                     "disable-background-networking", "disable-component-update"):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options, webdriver.chrome.service.Service(driver))
    try:
        yield window
    finally:
        window.quit()


def look(window, width=1280, height=800, *, dark=False, phone=False):
    """The size of the screen and its colours."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def all_of(window, selector):
    """Elements of the page."""
    return window.find_elements("css selector", selector)


def text_of(window, selector):
    """Text of the one element."""
    (element,) = all_of(window, selector)
    return element.text


def until(window, condition):
    """Wait for what `condition` of the window gives."""
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.support.ui import WebDriverWait

    waiting = WebDriverWait(window, _PATIENCE, 0.02, [StaleElementReferenceException])
    return waiting.until(condition)


def press(window, *keys):
    """Press keys, wherever the focus is."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(window, duration=0).send_keys(*keys).perform()


def chord(window, modifier, key):
    """Press a key while another is held."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(window).key_down(modifier).send_keys(key).key_up(modifier).perform()


def errors(window):
    """What the browser's console complains about."""
    return [entry["message"] for entry in window.get_log("browser") if entry["level"] == "SEVERE"]
