// Sizes, times and dates as a person reads them, in the language of the page.

import { currentLanguage, say } from "./strings.js";

/** 12.3 MB. Powers of 1000, as phones and file managers count. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (count >= 1000 && power < units.length - 1) {
    count /= 1000;
    power += 1;
  }
  const digits = power > 1 && count < 100 ? 1 : 0;
  return `${count.toFixed(digits).replace(/\.0$/, "")} ${units[power]}`;
}

/** 1:02:03, or 2:03; with tenths 2:03.4, for cues. */
export function clock(seconds, tenths = false) {
  const steps = tenths ? Math.floor(seconds * 10 + 1e-6) : Math.floor(seconds) * 10;
  const whole = Math.floor(steps / 10);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  const text = hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  return tenths ? `${text}.${steps % 10}` : text;
}

/** 40초, 3분, 1시간 20분: how long something takes, no finer than one needs to know. */
export function span(seconds) {
  if (seconds < 60) return say("seconds", { n: Math.max(1, Math.round(seconds)) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return say("minutes", { n: minutes });
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [say("hours", { n: hours }), rest ? say("minutes", { n: rest }) : ""].filter(Boolean).join(" ");
}

/** The time left, in steps coarse enough that it does not flicker: 5 s below a minute. */
export function spanLeft(seconds) {
  return span(seconds < 60 ? Math.max(5, Math.ceil(seconds / 5) * 5) : seconds);
}

/** "내일 오후 3:20": a moment not far from now. */
export function moment(epochSeconds) {
  const when = new Date(epochSeconds * 1000);
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const days = Math.round((midnight(when) - midnight(new Date())) / 86_400_000);
  const language = currentLanguage();
  const time = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" }).format(when);
  const day =
    Math.abs(days) <= 1
      ? new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day")
      : new Intl.DateTimeFormat(language, { month: "short", day: "numeric" }).format(when);
  return `${day} ${time}`;
}
