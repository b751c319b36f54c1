// Every word that the page says, in Korean and in English. A text is a string, in which {name} is filled in, or a function.

const KOREAN = {
  brand: "AVSR 자막",
  title: "영상에 자막 달기 · AVSR",
  skip: "본문으로 건너뛰기",
  otherLanguage: "English",
  otherLanguageLabel: "Read this page in English",
  heading: "영상에 자막을 답니다",
  lead: "소리와 입술을 함께 읽어 한국어 자막을 만듭니다. 소리가 없거나 끊겨도 입술을 보고 이어 갑니다.",
  dropHere: "여기에 영상을 끌어다 놓거나",
  chooseVideo: "영상 고르기",
  chooseSame: "같은 파일 고르기",
  chooseOther: "다른 영상 고르기",
  readBy: "읽는 방법",
  modeAuto: "알아서 고르기 (권장)",
  modeAv: "소리와 입술",
  modeAudio: "소리만",
  modeLip: "입술만",
  limits: "{size}, {time}까지 · 올린 영상과 자막은 {keep} 뒤 지워집니다",
  myVideos: "내 영상",
  noVideos: "아직 올린 영상이 없습니다.",
  loadingVideos: "영상 목록을 불러오는 중입니다.",
  back: "내 영상",
  remove: "지우기",
  removeNamed: "{name} 지우기",
  removeQuestion: "이 영상을 지울까요?",
  removeDetail: "‘{name}’ 영상과 자막이 모두 지워집니다. 되돌릴 수 없습니다.",
  removed: "‘{name}’ 영상을 지웠습니다.",
  cancel: "취소",
  cancelUpload: "올리기 취소",
  cancelNamed: "{name} 올리기 취소",
  retryNow: "지금 다시 시도",
  close: "닫기",
  player: "영상",
  captionsTrack: "한국어 자막",
  captionSize: "자막 크기",
  sizeNormal: "보통",
  sizeLarge: "크게",
  sizeHuge: "아주 크게",
  cannotPlay: "이 브라우저는 이 영상 형식을 재생하지 못합니다. 자막은 그대로 보고 고칠 수 있고, 자막 넣은 영상(MP4)을 받으면 재생됩니다.",
  cannotPlaySound: "이 브라우저는 이 소리 형식을 재생하지 못합니다. 자막은 그대로 보고 고치고 받을 수 있습니다.",
  cues: "자막",
  cueCount: "{n}개",
  cuesLater: "영상을 읽기 시작하면 여기에 자막이 나타납니다.",
  cuesComing: "읽는 대로 여기에 자막이 나타납니다.",
  cuesNone: "자막이 없습니다.",
  drafts: "아직 읽는 중입니다. 다 읽으면 문장이 달라질 수 있습니다.",
  follow: "재생 위치 따라가기",
  keysHelp: "↑ ↓ 자막 고르기, Enter 그 자리로 가기, E 또는 F2 고치기",
  toCheck: "확인할 자막 {n}개",
  nextToCheck: "다음 확인할 자막으로",
  sourceBoth: "소리+입술",
  sourceVoice: "소리",
  sourceLips: "입술",
  sourceIs: "읽은 것:",
  lowConfidence: "확인 필요",
  sureness: "확신도 {percent}%",
  edited: "고침",
  emptyCue: "(비움: 자막에 나오지 않습니다)",
  edit: "고치기",
  editCue: "{n}번 자막 고치기",
  editField: "{n}번 자막",
  editHelp: "Enter 저장, Shift+Enter 줄 바꿈, Esc 취소",
  save: "저장",
  saved: "{n}번 자막을 고쳤습니다.",
  notSaved: "고친 자막을 저장하지 못했습니다.",
  playCue: "이 자막만 재생",
  downloadBurned: "자막 넣은 영상 받기",
  downloadMore: "다른 형식",
  formatSoft: "켜고 끌 수 있는 자막이 든 영상 (MP4)",
  formatSrt: "SRT 자막 파일",
  formatVtt: "VTT 자막 파일",
  formatAss: "ASS 자막 파일",
  formatTxt: "글만 (TXT)",
  formatJson: "시각과 확신도까지 (JSON)",
  burning: "영상에 자막을 넣는 중",
  burnQueued: "영상에 자막을 넣으려고 차례를 기다리는 중",
  burned: "자막 넣은 영상이 준비됐습니다. 저장되지 않았으면 단추를 한 번 더 눌러 주세요.",
  burnFailed: "영상에 자막을 넣지 못했습니다. 다시 시도해 주세요.",
  usedAv: "소리와 입술로 읽음",
  usedAudio: "소리로 읽음",
  usedLip: "입술로 읽음",
  reasonNoFace: "얼굴이 보이지 않음",
  reasonSilent: "소리가 없음",
  expires: "{when}에 지워짐",
  stepUpload: "올리기",
  stepQueue: "기다리기",
  stepRead: "읽기",
  stepWrite: "쓰기",
  stepDone: "끝남",
  steps: "진행 단계",
  progress: "진행",
  starting: "올릴 준비를 하는 중",
  uploading: "올리는 중",
  checking: "파일을 확인하는 중",
  paused: "올리다 멈춤",
  pausedHelp: "같은 파일을 다시 고르면 이어서 올립니다.",
  offline: "연결이 끊겼습니다. {time} 뒤에 이어서 올립니다.",
  busy: "서버가 붐빕니다. {time} 뒤에 다시 시도합니다.",
  queued: "차례를 기다리는 중",
  queuePlace: "{n}번째 차례",
  loading: "읽을 준비를 하는 중",
  reading: "얼굴을 찾고 읽는 중",
  readingSound: "소리를 듣는 중",
  writing: "자막을 쓰는 중",
  done: "자막 완성",
  failed: "실패",
  bytesDone: "{all} 중 {done}",
  secondsDone: "{all} 중 {done}",
  timeLeft: "약 {time} 남음",
  seconds: "{n}초",
  minutes: "{n}분",
  hours: "{n}시간",
  announcePercent: "{label}, {percent}퍼센트",
  uploadedMany: "영상 {n}개를 올립니다.",
  tokenHeading: "접속 토큰이 필요합니다",
  tokenHelp: "서버를 켠 사람이 알려 준 토큰을 넣어 주세요.",
  tokenField: "토큰",
  tokenSend: "들어가기",
  problem: "문제가 생겼습니다",
  footer: "이 서버에서만 처리합니다. {model} · {version}",
  errors: {
    not_media: "영상이나 소리 파일이 아닙니다. 다른 파일을 골라 주세요.",
    no_stream: "파일에 영상도 소리도 없습니다.",
    too_large: "파일이 너무 큽니다. 짧게 나누거나 줄여서 올려 주세요.",
    too_large_at: "파일이 너무 큽니다. {size}까지 올릴 수 있습니다.",
    too_long: "영상이 너무 깁니다. 나누어서 올려 주세요.",
    too_many_pixels: "화면이 너무 큽니다. 해상도를 줄여서 올려 주세요.",
    too_busy: "지금은 서버가 붐빕니다. 잠시 뒤에 다시 해 주세요.",
    no_face: "얼굴을 찾지 못했습니다. 입이 보이는 영상이어야 입술을 읽을 수 있습니다.",
    no_speech: "말소리도 말하는 입술도 찾지 못했습니다.",
    unsupported_codec: "읽을 수 없는 영상 형식입니다. MP4(H.264)로 바꾸어 올려 주세요.",
    damaged: "파일이 깨져 있어서 읽지 못했습니다.",
    not_found: "그 영상이 없습니다. 지워졌거나 주소가 다릅니다.",
    forbidden: "이 일을 할 권한이 없습니다.",
    bad_request: "서버가 이 요청을 받아들이지 않았습니다.",
    network: "서버에 연결하지 못했습니다. 인터넷 연결을 확인해 주세요.",
    file_gone: "고른 파일을 더 읽을 수 없습니다. 옮기거나 바꾸지 않았는지 확인하고 다시 골라 주세요.",
    empty: "빈 파일입니다. 다른 파일을 골라 주세요.",
    token: "접속 토큰이 필요합니다.",
    failed: "처리하지 못했습니다.",
  },
};

const ENGLISH = {
  brand: "AVSR Captions",
  title: "Captions for your video · AVSR",
  skip: "Skip to the content",
  otherLanguage: "한국어",
  otherLanguageLabel: "이 화면을 한국어로 보기",
  heading: "Captions for your video",
  lead: "Korean captions from voice and lips together. Where the sound is missing or breaks off, the lips carry on.",
  dropHere: "Drop a video here, or",
  chooseVideo: "Choose a video",
  chooseSame: "Choose the same file",
  chooseOther: "Choose another video",
  readBy: "Read by",
  modeAuto: "Let it choose (recommended)",
  modeAv: "Voice and lips",
  modeAudio: "Voice only",
  modeLip: "Lips only",
  limits: "Up to {size} and {time} · videos and captions are deleted after {keep}",
  myVideos: "My videos",
  noVideos: "No videos yet.",
  loadingVideos: "Fetching the list of videos.",
  back: "My videos",
  remove: "Delete",
  removeNamed: "Delete {name}",
  removeQuestion: "Delete this video?",
  removeDetail: "“{name}” and its captions will be deleted. This cannot be undone.",
  removed: "“{name}” was deleted.",
  cancel: "Cancel",
  cancelUpload: "Cancel the upload",
  cancelNamed: "Cancel the upload of {name}",
  retryNow: "Try again now",
  close: "Close",
  player: "Video",
  captionsTrack: "Korean captions",
  captionSize: "Caption size",
  sizeNormal: "Normal",
  sizeLarge: "Large",
  sizeHuge: "Very large",
  cannotPlay: "This browser cannot play this kind of video. The captions can be read and edited all the same, and the video with captions (MP4) will play.",
  cannotPlaySound: "This browser cannot play this kind of sound. The captions can be read, edited and downloaded all the same.",
  cues: "Captions",
  cueCount: ({ n }) => (n === 1 ? "1 caption" : `${n} captions`),
  cuesLater: "Captions will appear here once the video is being read.",
  cuesComing: "Captions appear here as they are read.",
  cuesNone: "There are no captions.",
  drafts: "Still reading. Sentences may change until it is done.",
  follow: "Follow the video",
  keysHelp: "↑ ↓ choose a caption, Enter goes there, E or F2 edits",
  toCheck: ({ n }) => (n === 1 ? "1 caption to check" : `${n} captions to check`),
  nextToCheck: "Go to the next caption to check",
  sourceBoth: "Voice+lips",
  sourceVoice: "Voice",
  sourceLips: "Lips",
  sourceIs: "Read from:",
  lowConfidence: "Check this",
  sureness: "Confidence {percent}%",
  edited: "Edited",
  emptyCue: "(empty: not shown in the captions)",
  edit: "Edit",
  editCue: "Edit caption {n}",
  editField: "Caption {n}",
  editHelp: "Enter saves, Shift+Enter breaks the line, Esc cancels",
  save: "Save",
  saved: "Caption {n} was changed.",
  notSaved: "The changed caption could not be saved.",
  playCue: "Play this caption",
  downloadBurned: "Download captioned video",
  downloadMore: "Other formats",
  formatSoft: "Video with captions to switch on and off (MP4)",
  formatSrt: "SRT captions",
  formatVtt: "VTT captions",
  formatAss: "ASS captions",
  formatTxt: "Text only (TXT)",
  formatJson: "With times and confidence (JSON)",
  burning: "Putting the captions into the video",
  burnQueued: "Waiting to put the captions into the video",
  burned: "The captioned video is ready. If it was not saved, press the button once more.",
  burnFailed: "The captions could not be put into the video. Please try again.",
  usedAv: "Read from voice and lips",
  usedAudio: "Read from the voice",
  usedLip: "Read from the lips",
  reasonNoFace: "no face is seen",
  reasonSilent: "there is no sound",
  expires: "Deleted {when}",
  stepUpload: "Upload",
  stepQueue: "Wait",
  stepRead: "Read",
  stepWrite: "Write",
  stepDone: "done",
  steps: "Steps",
  progress: "Progress",
  starting: "Getting ready to upload",
  uploading: "Uploading",
  checking: "Checking the file",
  paused: "Upload interrupted",
  pausedHelp: "Choose the same file again to continue.",
  offline: "The connection was lost. The upload continues in {time}.",
  busy: "The server is busy. Trying again in {time}.",
  queued: "Waiting",
  queuePlace: "number {n} in the queue",
  loading: "Getting ready to read",
  reading: "Finding faces and reading",
  readingSound: "Listening",
  writing: "Writing captions",
  done: "Captions ready",
  failed: "Failed",
  bytesDone: "{done} of {all}",
  secondsDone: "{done} of {all}",
  timeLeft: "about {time} left",
  seconds: "{n} s",
  minutes: "{n} min",
  hours: "{n} h",
  announcePercent: "{label}, {percent} percent",
  uploadedMany: "Uploading {n} videos.",
  tokenHeading: "An access token is needed",
  tokenHelp: "Enter the token that whoever started the server gave you.",
  tokenField: "Token",
  tokenSend: "Enter",
  problem: "Something went wrong",
  footer: "Everything stays on this server. {model} · {version}",
  errors: {
    not_media: "This is not a video or a sound file. Please choose another.",
    no_stream: "The file has neither picture nor sound.",
    too_large: "The file is too large. Please split it or make it smaller.",
    too_large_at: "The file is too large. The limit is {size}.",
    too_long: "The video is too long. Please split it.",
    too_many_pixels: "The picture is too large. Please lower its resolution.",
    too_busy: "The server is busy. Please try again in a while.",
    no_face: "No face was found. Lips can be read only where the mouth can be seen.",
    no_speech: "Neither a voice nor speaking lips were found.",
    unsupported_codec: "This video format cannot be read. Please convert it to MP4 (H.264).",
    damaged: "The file is damaged and could not be read.",
    not_found: "There is no such video. It was deleted, or the address is wrong.",
    forbidden: "You are not allowed to do this.",
    bad_request: "The server did not accept this request.",
    network: "The server could not be reached. Please check your connection.",
    file_gone: "The chosen file can no longer be read. Check that it was not moved or changed, and choose it again.",
    empty: "The file is empty. Please choose another.",
    token: "An access token is needed.",
    failed: "It could not be processed.",
  },
};

const TABLES = { ko: KOREAN, en: ENGLISH };
const KEPT_AS = "avsr.language";

let language = "ko";

/** Another page's words, in every language. */
export function addWords(tables) {
  for (const [tag, { errors, ...words }] of Object.entries(tables)) {
    Object.assign(TABLES[tag], words);
    Object.assign(TABLES[tag].errors, errors);
  }
}

/** What the reader chose, else the first language of the browser that we speak, else Korean. */
export function chooseLanguage() {
  const kept = recall(KEPT_AS);
  const wanted = [kept, ...(navigator.languages ?? [])].map((tag) => String(tag).slice(0, 2).toLowerCase());
  setLanguage(wanted.find((tag) => tag in TABLES) ?? "ko");
}

export function setLanguage(tag, keep = false) {
  language = tag;
  document.documentElement.lang = tag;
  if (keep) remember(KEPT_AS, tag);
}

export function currentLanguage() {
  return language;
}

function fill(text, values) {
  if (typeof text === "function") return text(values);
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function say(key, values = {}) {
  return fill(TABLES[language][key], values);
}

/** A sentence for an error of the server: ours where the code is known, the server's own for anything else. */
export function sayError(error, values = {}) {
  const { code, message } = error ?? {};
  const table = TABLES[language].errors;
  if (code === "failed") return message || table.failed;
  return code in table ? fill(table[code], values) : message || table.failed;
}

/** Puts the words into the parts of the page that are written in index.html: data-say for text, data-say-label for labels. */
export function translate(root = document) {
  for (const part of root.querySelectorAll("[data-say]")) part.textContent = say(part.dataset.say);
  for (const part of root.querySelectorAll("[data-say-label]")) part.setAttribute("aria-label", say(part.dataset.sayLabel));
}

/** What the browser keeps for us; a browser that keeps nothing (private windows) is no error. */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Then it is not remembered.
  }
}
