// What the page runs; README.md says how it becomes static/uppy.js.
import Uppy from "@uppy/core";
import Dashboard from "@uppy/dashboard";
import GoldenRetriever from "@uppy/golden-retriever";
import AwsS3 from "@uppy/aws-s3";
import "@uppy/core/css/style.min.css";
import "@uppy/dashboard/css/style.min.css";

const uppy = new Uppy()
  .use(Dashboard, { target: "#files", inline: true })
  .use(GoldenRetriever)
  .use(AwsS3, { companionEndpoint: document.body.dataset.endpoint });
uppy.on("file-added", (file) => uppy.setFileMeta(file.id, { size: file.size }));
uppy.on("complete", ({ failed }) => {
  if (failed.length === 0) setTimeout(() => location.reload(), 2000); // by then a form has been noticed
});
window.uppy = uppy;
