// Single keys can be switched off (WCAG 2.1.4): who speaks to a computer, or has a hand that slips, must not pause a classroom's cluster.

export const keysOn = () => localStorage.getItem("keys") !== "off";
export const setKeys = (on) => (on ? localStorage.removeItem("keys") : localStorage.setItem("keys", "off"));
