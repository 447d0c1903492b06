// What Chainlit's page has no place for, a module for each.
import "./page/composer.js";
import { installAnswers } from "./page/answers.js";
import { installDetails } from "./page/details.js";
import { installDirection } from "./page/direction.js";
import { installExport } from "./page/export.js";
import { installFiles } from "./page/files.js";
import { installHeader } from "./page/header.js";
import { installLinks } from "./page/links.js";
import { installNames } from "./page/names.js";
import { keepPlace } from "./page/place.js";
import { installReader } from "./page/reader.js";
import { installStatus } from "./page/status.js";

installLinks();
installDirection();
installNames();
installHeader();
installAnswers();
installDetails();
installReader();
installFiles();
installExport();
installStatus();
keepPlace();
