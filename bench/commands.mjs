export async function inCommands() {}
