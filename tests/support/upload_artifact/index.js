// What actions/upload-artifact v7 does, as far as a workflow can tell.
import { stat } from 'node:fs/promises'
import path from 'node:path'

import { DefaultArtifactClient } from '@actions/artifact'
import * as core from '@actions/core'
import * as glob from '@actions/glob'

function readNumber(name, fits) {
  const text = core.getInput(name)
  if (!text) return undefined
  const number = Number.parseInt(text, 10)
  if (!fits(number)) throw new Error(`Invalid ${name}`)
  return number
}

function readInputs() {
  const inputs = {
    name: core.getInput('name'),
    patterns: core.getInput('path', { required: true }),
    ifNoFilesFound: core.getInput('if-no-files-found'),
    retentionDays: readNumber('retention-days', (days) => days >= 0),
    compressionLevel: readNumber('compression-level', (level) => level >= 0 && level <= 9),
    overwrite: core.getBooleanInput('overwrite'),
    includeHiddenFiles: core.getBooleanInput('include-hidden-files'),
    archive: core.getBooleanInput('archive')
  }
  if (!['warn', 'error', 'ignore'].includes(inputs.ifNoFilesFound)) {
    throw new Error(`Unrecognized if-no-files-found input. Provided: ${inputs.ifNoFilesFound}`)
  }
  return inputs
}

async function findFiles({ patterns, includeHiddenFiles }) {
  const globber = await glob.create(patterns, { excludeHiddenFiles: !includeHiddenFiles })
  const files = []
  for (const found of await globber.glob()) {
    // Symbolic links count as what they point to.
    if (!(await stat(found)).isDirectory()) files.push(found)
  }
  return { files, root: commonFolder(globber.getSearchPaths(), files) }
}

// The folder that names in the zip are relative to: what all searched paths have in common.
function commonFolder(searched, files) {
  if (searched.length === 1 && files.length === 1 && searched[0] === files[0]) {
    return path.dirname(files[0])
  }
  const [first, ...others] = searched.map((one) => path.normalize(one).split(path.sep))
  let length = 0
  while (length < first.length && others.every((parts) => parts[length] === first[length])) length++
  return first.slice(0, length).join(path.sep) || path.sep
}

function reportNothingFound({ patterns, ifNoFilesFound }) {
  const message = `No files were found with the provided path: ${patterns}.`
  const say = { warn: core.warning, error: core.setFailed, ignore: core.info }[ifNoFilesFound]
  say(`${message} No artifacts will be uploaded.`)
}

async function upload(client, inputs, { files, root }) {
  if (!inputs.archive && files.length > 1) {
    throw new Error(
      `When 'archive' is set to false, only a single file can be uploaded. Found ${files.length}.`
    )
  }
  if (inputs.overwrite) {
    // By `name` even where the file's own name will be the artifact's: v7 does that too.
    await client.deleteArtifact(inputs.name).catch((error) => core.debug(error.message))
  }
  return client.uploadArtifact(inputs.name, files, root, {
    retentionDays: inputs.retentionDays,
    compressionLevel: inputs.compressionLevel,
    skipArchive: !inputs.archive
  })
}

function setOutputs({ id, digest }) {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = process.env
  core.setOutput('artifact-id', id)
  core.setOutput('artifact-digest', digest)
  core.setOutput('artifact-url', `${server}/${repository}/actions/runs/${run}/artifacts/${id}`)
}

try {
  const inputs = readInputs()
  const found = await findFiles(inputs)
  if (found.files.length === 0) reportNothingFound(inputs)
  else setOutputs(await upload(new DefaultArtifactClient(), inputs, found))
} catch (error) {
  core.setFailed(error.message)
}
